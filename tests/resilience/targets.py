"""What faults are inflicted on: a running server, and how its processes, memory and probes are looked at.

The same scripts run against this service and, in ``benchmarks/faults.py``, against others: a target says where it takes
a batch and how the batch is written.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
"""Seconds that any answer may take before the server is held to hang."""

JSON = {"Content-Type": "application/json"}


def batch(rows: int, columns: int, **options: object) -> bytes:
    """A batch of logits as /v1/score takes it."""
    logits = np.random.default_rng(rows).normal(size=(rows, columns)).round(15)
    return json.dumps({"logits": logits.tolist(), "targets": [0] * rows, **options}).encode()


def of_size(size: int, **options: object) -> bytes:
    """A batch of about so many bytes, of 100 columns."""
    return batch(max(size // 1900, 1), 100, **options)


@dataclass(frozen=True)
class Target:
    """A running server.

    Attributes:
        url: where it listens.
        pid: its first process.
        path: where it takes a batch.
        probe: what is asked to see whether it lives.
        wrap: the body it wants for a batch of ours.
    """

    url: str
    pid: int
    path: str = "/v1/score"
    probe: str = "/health/live"
    wrap: Callable[[bytes], bytes] = bytes

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.partition("://")[2].rpartition(":")
        return host, int(port)

    def connect(self, timeout: float = PATIENCE) -> socket.socket:
        """A connection that says nothing yet."""
        return socket.create_connection(self.address, timeout=timeout)

    def head(self, length: int | None = None, **fields: str) -> bytes:
        """The head of a request with a batch; without a length its body comes in chunks."""
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"POST {self.path} HTTP/1.1", "Host: x", "Content-Type: application/json", size]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def ask(self, body: bytes, headers: dict[str, str] | None = None, timeout: float = PATIENCE) -> Answer:
        """The answer to a batch on a connection of its own; status 0 if there is none."""
        started = time.perf_counter()
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request("POST", self.path, body, JSON | (headers or {}))
            response = connection.getresponse()
            read = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, read, time.perf_counter() - started, found)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, repr(error).encode(), time.perf_counter() - started, {})
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """It and its children."""
        found = [self.pid]
        for pid in found:
            with suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found

    def resident(self) -> int:
        """Bytes of memory that they hold."""
        return sum(status(pid, "VmRSS") for pid in self.processes())

    def cpu(self) -> float:
        """Seconds of computing that they have used."""
        ticks = 0
        for pid in self.processes():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def sockets(self) -> int:
        """Connections that its side still holds."""
        port = f":{self.address[1]:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        held = {"01", "08"}  # established, and closed by the other side alone
        return sum(line.split()[1].endswith(port) and line.split()[3] in held for line in lines)


@dataclass(frozen=True)
class Answer:
    """What came back, after how many seconds, and its headers by their names in small letters."""

    status: int
    body: bytes
    seconds: float
    headers: dict[str, str]

    def json(self) -> Any:  # noqa: ANN401 - any document
        """The body as a document."""
        return json.loads(self.body)


def status(pid: int, name: str) -> int:
    """A line of /proc/PID/status, in bytes; 0 if the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def meanwhile(run: Callable[[], object], is_over: threading.Event) -> Iterator[None]:
    """Runs in a thread while the block does, and until it sees that the block is over."""
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class Watch:
    """Asks a probe, or reads a figure, again and again until the block ends."""

    def __init__(self, look: Callable[[], float], pause: float) -> None:
        self.seen: list[float] = []
        self._look = look
        self._pause = pause
        self._is_over = threading.Event()

    @contextmanager
    def on(self) -> Iterator[Watch]:
        """Watches while the block runs."""
        with meanwhile(self._run, self._is_over):
            yield self

    def _run(self) -> None:
        while not self._is_over.is_set():
            self.seen.append(self._look())
            self._is_over.wait(self._pause)

    @property
    def p99(self) -> float:
        """What all but a hundredth stay below."""
        return float(np.percentile(self.seen, 99))

    @property
    def most(self) -> float:
        """The greatest."""
        return max(self.seen)


def probe(target: Target) -> float:
    """Seconds that a probe takes on a new connection, as kubelet's does; PATIENCE if it fails."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection(*target.address, timeout=PATIENCE)
    try:
        connection.request("GET", target.probe)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return PATIENCE
    finally:
        connection.close()
    return time.perf_counter() - started


def probing(target: Target, pause: float = 0.02) -> Watch:
    """Watches a probe, in seconds."""
    return Watch(lambda: probe(target), pause)


def weighing(target: Target, pause: float = 0.02) -> Watch:
    """Watches the resident memory, in bytes."""
    return Watch(lambda: float(target.resident()), pause)


def in_parallel(jobs: list[Callable[[], None]]) -> None:
    """Runs each in a thread of its own, to the end."""
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
