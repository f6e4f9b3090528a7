"""What an operator can set: ``LOSSMETER_*`` in the environment, read once, checked wholly, then frozen.

A misspelt name is an error that says which name was meant: a limit that is silently not in force is worse
than no start.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails

PREFIX: Final = "LOSSMETER_"

MIB: Final = 2**20

Bytes = Annotated[int, Field(ge=1, le=2**40)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class InvalidSettingsError(ValueError):
    """A setting is unknown or out of range; one line says which, and what would be accepted."""


class Settings(BaseSettings):
    """Everything that can be set, with its default, range and unit."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

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
        description="Most bytes of request bodies that one worker process holds at a time. Beyond: 503. "
        "At least max_body_bytes: else the largest body could never be served.",
    )
    max_requests_per_caller: Count = Field(
        default=64,
        description="Most requests of one caller that one worker process serves at a time. Beyond: 429.",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None,
        description="Threads that score one request, 1 to 1024; not set: one per core of this process.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys of callers, visible ASCII, separated by commas; not set: no key is asked.",
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

    @model_validator(mode="before")
    @classmethod
    def _only_known_names(cls, values: object) -> object:
        """pydantic-settings passes over environment names it does not know; we do not."""
        known = [PREFIX + name.upper() for name in cls.model_fields]
        for name in sorted(os.environ):
            if name.upper().startswith(PREFIX) and name.upper() not in known:
                raise ValueError(_unknown(name, known))
        return values

    @field_validator("api_keys", mode="before")
    @classmethod
    def _keys_of_a_list(cls, value: object) -> object:
        """The environment has one string: ``key-one,key-two``."""
        return tuple(key.strip() for key in value.split(",")) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _keys_fit_a_header(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """An empty key would let everyone in; a key with a space or an umlaut could never be sent."""
        for place, key in enumerate(keys, start=1):
            text = key.get_secret_value()
            if not text:
                raise ValueError(f"key {place} is empty; to ask for no key, leave the setting out")
            if not all("!" <= character <= "~" for character in text):
                raise ValueError(f"key {place} holds something other than visible ASCII characters")
        return keys

    @model_validator(mode="after")
    def _largest_body_fits(self) -> Settings:
        if self.max_bytes_in_flight < self.max_body_bytes:
            raise ValueError(
                f"{PREFIX}MAX_BYTES_IN_FLIGHT ({self.max_bytes_in_flight}) must be at least "
                f"{PREFIX}MAX_BODY_BYTES ({self.max_body_bytes})"
            )
        return self


def load(**flags: object) -> Settings:
    """Read the environment; a flag given here wins over it.

    Raises:
        InvalidSettingsError: in one line, every setting that cannot be.
    """
    try:
        # What a flag holds is for Pydantic to judge, so its static type says nothing here.
        return Settings(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [_sentence(problem, flags) for problem in error.errors(include_url=False)]
        raise InvalidSettingsError("; ".join(problems)) from None


def _sentence(problem: ErrorDetails, flags: Mapping[str, object]) -> str:
    """One problem in the operator's words: the name they typed, what they gave, what would do."""
    detail = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return detail
    field = str(problem["loc"][0])
    name = f"--{field.replace('_', '-')}" if field in flags else PREFIX + field.upper()
    # A key is a secret even when it is a wrong one.
    value = "" if field == "api_keys" else f"={problem['input']!r:.60}"
    return f"{name}{value}: {detail[:1].lower()}{detail[1:]}"


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
    return f"{name} is not a setting; the closest is {close[0]}"
