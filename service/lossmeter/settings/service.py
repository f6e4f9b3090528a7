"""Where the service listens, what it takes on, and what it shows."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

PREFIX: Final = "LOSSMETER_"

MIB: Final = 2**20

Bytes = Annotated[int, Field(ge=1, le=2**40)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ServiceSettings(BaseSettings):
    """Addresses, limits and pages."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on: a name, an IPv4 or an IPv6 address; 0.0.0.0 is every IPv4 one.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="TCP port to listen on, 0 to 65535; 0 takes any that is free.",
    )
    workers: int = Field(default=1, ge=1, le=1024, description="Worker processes, 1 to 1024.")
    max_body_bytes: Bytes = Field(
        default=64 * MIB,
        description="Largest request body, in bytes, also after decompression. More is answered with 413.",
    )
    max_stream_bytes: Bytes | None = Field(
        default=None,
        description="Longest streamed request body (Arrow or NDJSON, answered batch by batch), in bytes; not set: "
        "any length, for of a stream no more than a batch is held, of at most max_body_bytes.",
    )
    max_elements: Count = Field(
        default=16_777_216, description="Most numbers in one request, a count. More is answered with 413."
    )
    max_classes: Count = Field(
        default=262_144,
        description="Most classes, that is columns, in one request, a count. More is answered with 422.",
    )
    max_depth: int = Field(
        default=64,
        ge=3,
        le=512,
        description="Deepest nesting of a JSON body, 3 to 512 levels. Deeper is answered with 400.",
    )
    max_bytes_in_flight: Bytes = Field(
        default=256 * MIB,
        description="Most bytes of request bodies that one worker process holds at a time. Beyond: 503. Bodies of up "
        "to 64 KiB have a sixteenth more, so large ones that come slowly keep no small one out. "
        "At least max_body_bytes: else the largest body could never be served.",
    )
    max_bytes_per_caller: Bytes | None = Field(
        default=None,
        description="Most bytes of request bodies of one caller that one worker process holds at a time, but for "
        "bodies of up to 64 KiB. Beyond: 429. Not set: half of max_bytes_in_flight, but at least max_body_bytes.",
    )
    max_requests_per_caller: Count = Field(
        default=64,
        description="Most requests of one caller that one worker process serves at a time. Beyond: 429.",
    )
    max_queue: Count = Field(
        default=64,
        description="Most large requests that wait for a core in one worker process. Beyond: 503.",
    )
    max_queue_seconds: Seconds = Field(
        default=2.0,
        description="Longest that a large request waits for a core, in seconds, before anything is computed. "
        "Beyond: 503.",
    )
    header_timeout: Seconds = Field(
        default=10.0, description="Seconds in which a request's head must arrive. Beyond: 408."
    )
    body_timeout: Seconds = Field(
        default=10.0,
        description="Seconds that the sender of a body may be silent, in all, while it is below "
        "min_body_rate. Beyond: 408.",
    )
    write_timeout: Seconds = Field(
        default=20.0,
        description="Seconds that the reader of an answer may take nothing, in all, while it is below "
        "min_body_rate. Beyond, the connection is cut.",
    )
    min_body_rate: Count = Field(
        default=16_384, description="Slowest that bodies and answers may be on the way, in bytes per second."
    )
    shutdown_delay: Annotated[float, Field(ge=0, le=600)] = Field(
        default=0.0,
        description="Seconds after SIGTERM in which requests are still taken while /health/ready says no, for "
        "load balancers to notice, 0 to 600.",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None,
        description="Threads that score one request, 1 to 1024; not set: one per core of this process.",
    )
    docs: bool = Field(default=True, description="Whether /docs and /redoc are served.")
    root_path: str = Field(
        default="",
        pattern=r"^(/[^/?#\s]+)*$",
        description="Path under which a proxy publishes the service, such as /lossmeter; empty: none.",
    )
    log_level: Literal["critical", "error", "warning", "info", "debug", "trace"] = Field(
        default="info", description="Least severe message that is logged."
    )

    @property
    def most_bytes_of_a_caller(self) -> int:
        """Of bodies in flight."""
        return self.max_bytes_per_caller or max(self.max_bytes_in_flight // 2, self.max_body_bytes)

    @model_validator(mode="after")
    def _largest_body_fits(self) -> Self:
        for name in ("max_bytes_in_flight", "max_bytes_per_caller"):
            most = getattr(self, name)
            if most is not None and most < self.max_body_bytes:
                raise ValueError(
                    f"{PREFIX}{name.upper()} ({most}) must be at least {PREFIX}MAX_BODY_BYTES ({self.max_body_bytes})"
                )
        return self
