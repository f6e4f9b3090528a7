"""Pools of worker processes: a server that has one, who of it takes connections, and clients that keep theirs."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from commands import serving
from resilience.targets import JSON, Target, in_parallel, meanwhile, of_size, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = of_size(150_000, include=[])


@contextmanager
def started(*flags: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], Target]]:
    """A server that is ready."""
    settings.setdefault("LOSSMETER_LOG_LEVEL", "critical")
    with serving(*flags, errors=subprocess.DEVNULL, LOSSMETER_DOCS="false", **settings) as (process, line):
        url = line.split(" on ")[1].split(",")[0].strip()
        target = Target(url, process.pid)
        assert probe(target) < 60
        yield process, target


class Load:
    """Clients that keep their connections, as pools of real ones do, and count what happens to each request.

    Args:
        target: who is asked.
        body: of each request.
        connections: one for each client; four new ones if there are none.

    Attributes:
        seen: how often each thing happened: a status, ``refused`` to connect, or ``lost``.
    """

    def __init__(
        self,
        target: Target,
        body: bytes = BODY,
        connections: list[http.client.HTTPConnection] | None = None,
    ) -> None:
        self.seen: Counter[str] = Counter()
        self._path = target.path
        self._body = body
        self._connections = connections or [connection_to(target) for _ in range(4)]
        self._is_over = threading.Event()

    @contextmanager
    def on(self) -> Iterator[Load]:
        """Asks while the block runs."""
        jobs: list[Callable[[], None]] = [partial(self._run, each) for each in self._connections]
        with meanwhile(lambda: in_parallel(jobs), self._is_over):
            yield self

    def _run(self, connection: http.client.HTTPConnection) -> None:
        while not self._is_over.is_set():
            outcome = self._ask(connection)
            self.seen[outcome] += 1
            if outcome == "refused":
                time.sleep(0.05)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        try:
            connection.request("POST", self._path, self._body, JSON)
            response = connection.getresponse()
            response.read()
        except ConnectionRefusedError:
            connection.close()
            return "refused"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"lost: {type(error).__name__}"
        return str(response.status)


def connection_to(target: Target) -> http.client.HTTPConnection:
    """A connection that is made with its first request."""
    return http.client.HTTPConnection(*target.address, timeout=20)


def lost(seen: Counter[str]) -> int:
    """Requests that were accepted and not answered."""
    return sum(count for what, count in seen.items() if what.startswith("lost"))


@contextmanager
def connected(target: Target, count: int, *, without: int) -> Iterator[list[http.client.HTTPConnection]]:
    """Connections that this worker does not have: it is stopped while the others take them."""
    connections = [connection_to(target) for _ in range(count)]
    os.kill(without, signal.SIGSTOP)
    try:
        for connection in connections:
            connection.request("GET", target.probe)
            connection.getresponse().read()
    finally:
        os.kill(without, signal.SIGCONT)
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def both(target: Target) -> list[int]:
    """The two processes that take connections, once they do."""
    first = replacement(target, [])
    return [first, replacement(target, [first])]


def replacement(target: Target, old: list[int]) -> int:
    """The process that takes the place of one that died, once it takes connections."""
    last = time.monotonic() + 30
    while time.monotonic() < last:
        for pid in target.processes():
            if pid not in old and is_worker(pid):
                return pid
        time.sleep(0.02)
    raise AssertionError("no worker took its place")


def is_worker(pid: int) -> bool:
    """Whether a process's event loop watches the listening socket, and so it takes connections."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if "eventpoll" in str(entry.readlink()):
                watched = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                numbers = [line.split()[1] for line in watched.splitlines() if line.startswith("tfd:")]
                links = {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in numbers}
                if links & listening():
                    return True
    return False


def listening() -> set[str]:
    """The sockets of this machine that listen, as /proc names them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[9]}]" for line in lines if line.split()[3] == "0A"}
