"""One worker has no memory left: it says so, or the kernel ends it; no other notices, and the pool is whole again."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resilience.pools import BODY, Load, both, connected, is_worker, replacement, started
from resilience.targets import JSON, Answer, Target, of_size, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resilience.conftest import Tell

MIB = 2**20
GROUPS = {
    Path("/sys/fs/cgroup"): ("memory.max", "memory.swap.max"),
    Path("/sys/fs/cgroup/memory"): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
}
"""Where groups of processes have a limit of memory, and the files of it and of swap: the second version, the first."""


@contextmanager
def starved(pid: int, left: int) -> Iterator[None]:
    """A process that can have so many bytes more, and no others."""
    most = status(pid, "VmSize") + left
    resource.prlimit(pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


# Bytes left, and of a body; the first is for a worker that has no thread yet, whose stack would be 8 MiB.
SHORT = {"thread": (5 * MIB, 1_000_000), "body": (2 * MIB, 20_000_000), "numbers": (20 * MIB, 20_000_000)}


def test_a_starved_worker(tell: Tell) -> None:
    """It tells who wants too much to come again; the other answers whatever it is asked, and both are there after."""
    small = of_size(2_000)
    with started("--workers", "2") as (_, target):
        victim, other = both(target)
        for short, (left, size) in SHORT.items():
            large = of_size(size, include=[])
            with (
                connected(target, 2, without=victim) as connections,
                Load(target, BODY, connections).on() as load,
            ):
                with starved(victim, left):
                    answers = [asked(target, body, without=other) for body in (large, small) * 4]
                assert asked(target, large, without=other).status == 200
            tell(
                f"one of 2 workers has no memory for the {short}",
                {
                    "answered by the other": load.seen["200"],
                    "not answered by it": load.seen.total() - load.seen["200"],
                    "slowest answer of its own, s": max(answer.seconds for answer in answers),
                },
            )
            assert [answer.status for answer in answers] == [503, 200] * 4, answers
            assert {answer.headers["retry-after"] for answer in answers[::2]} == {"1"}
            assert set(load.seen) == {"200"}, load.seen
        assert is_worker(victim)
        assert is_worker(other)


def asked(target: Target, body: bytes, *, without: int) -> Answer:
    """What the workers but this one answer."""
    with connected(target, 1, without=without) as (connection,):
        begun = time.perf_counter()
        connection.request("POST", target.path, body, JSON)
        response = connection.getresponse()
        read = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, read, time.perf_counter() - begun, headers)


def test_the_kernel_ends_one(tell: Tell) -> None:
    """What one request of a worker wants is more than the pool's container has: that worker is ended, and replaced."""
    huge = dict.fromkeys(("LOSSMETER_MAX_BODY_BYTES", "LOSSMETER_MAX_BYTES_IN_FLIGHT"), str(512 * MIB))
    with group(200 * MIB) as members, started("--workers", "2", **huge) as (process, target):
        victim, other = both(target)
        with (
            connected(target, 2, without=victim) as connections,
            Load(target, BODY, connections).on() as load,
        ):
            for pid in target.processes():
                members.write_text(str(pid))
            begun = time.monotonic()
            with pytest.raises((OSError, http.client.HTTPException)):
                asked(target, b"{}".ljust(400 * MIB), without=other)
            replacement(target, [victim, other])
            seconds = time.monotonic() - begun
            time.sleep(0.5)
        tell(
            "the kernel ends one of 2 workers for its memory",
            {
                "answered by the other": load.seen["200"],
                "not answered by it": load.seen.total() - load.seen["200"],
                "seconds from the request until whole": seconds,
            },
        )
        assert set(load.seen) == {"200"}, load.seen
        assert not Path(f"/proc/{victim}").exists()
        assert is_worker(other)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0


@contextmanager
def group(most: int) -> Iterator[Path]:
    """The file that makes processes members of a group; from then on, they may have so many bytes more together."""
    found = next(filter(None, (made(top, limits[0]) for top, limits in GROUPS.items())), None)
    if found is None:
        pytest.skip(
            "needs a group of processes with a limit of memory: root, and a /sys/fs/cgroup that it may write"
        )
    try:
        for name in GROUPS[found.parent]:
            with suppress(FileNotFoundError):  # not every kernel counts swap
                (found / name).write_text("0" if name == "memory.swap.max" else str(most))
        yield found / "cgroup.procs"
    finally:
        while (
            found / "cgroup.procs"
        ).read_text():  # those that the pool has started for itself leave after it
            time.sleep(0.05)
        found.rmdir()


def made(top: Path, limit: str) -> Path | None:
    """A new group, if there can be one, and it has a limit."""
    folder = top / f"lossmeter-{os.getpid()}"
    with suppress(OSError):
        folder.mkdir()
        if (folder / limit).exists():
            return folder
        folder.rmdir()
    return None
