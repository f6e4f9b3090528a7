"""How often a caller may ask: a token bucket for each, the same for all worker processes.

A bucket that holds ``quota`` tokens and gets ``quota`` more every ``seconds`` is one number: the time at which it is
full again (the generic cell rate algorithm, ITU-T I.371). The numbers of all callers are a small table: in memory where
there is one process, in a file that is mapped into each where there are several. Counted in every worker alone, a rate
would be the number of workers times what the operator wrote.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import os
import struct
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossmeter.keys import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


RECORD: Final = struct.Struct("<Qq")
"""Of one caller: which one, and when the bucket is full again, in nanoseconds of the monotonic clock."""

SLOTS: Final = 8192
NEAR: Final = 64
"""A caller's record is one of the so many that follow its place."""

SHARED: Final = "_LOSSMETER_RATES"
"""The variable that tells worker processes of the file."""

NANOSECONDS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands after a request.

    Attributes:
        rate: what it is held to.
        left: how many more requests would be taken at once.
        wait: seconds until the next one is taken; 0 if this one was.
        full: seconds until the whole quota is there again.
    """

    rate: Rate
    left: int
    wait: float
    full: float


class Buckets:
    """The buckets of all callers."""

    def __init__(self, file: str | None = None) -> None:
        self._lock: AbstractContextManager[object] = nullcontext()
        self._table: bytearray | mmap.mmap = bytearray(RECORD.size * SLOTS)
        if file is not None:
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
            self._table = mmap.mmap(descriptor, RECORD.size * SLOTS)
            self._lock = _Locked(descriptor)

    def take(self, caller: str, rate: Rate) -> Standing:
        """Takes one token of the caller's bucket, if there is one."""
        window = rate.seconds * NANOSECONDS
        token = window // rate.quota
        with self._lock:
            now = time.monotonic_ns()
            mark = _mark(caller)
            place = self._place(mark, now)
            known, full_at = RECORD.unpack_from(self._table, place)
            full_at = max(full_at, now) if known == mark else now
            wait = max(full_at + token - now - window, 0)
            if not wait:
                full_at += token
                RECORD.pack_into(self._table, place, mark, full_at)
        left = (window - (full_at - now)) // token
        return Standing(rate, left, wait / NANOSECONDS, (full_at - now) / NANOSECONDS)

    def _place(self, mark: int, now: int) -> int:
        """Where the caller's record is; for one that is new, the place of one whose bucket is full, or soon will be."""
        soonest, best = None, 0
        for step in range(NEAR):
            place = (mark + step) % SLOTS * RECORD.size
            known, full_at = RECORD.unpack_from(self._table, place)
            if known == mark:
                return place
            if soonest is None or max(full_at, now) < soonest:
                soonest, best = max(full_at, now), place
        return best


class _Locked:
    """An exclusive lock on the file, held for some microseconds; a process that dies lets go of it."""

    def __init__(self, descriptor: int) -> None:
        import fcntl  # noqa: PLC0415 - Windows has none; nor has it several workers on one socket

        self._set = functools.partial(fcntl.lockf, descriptor)
        self._take, self._free = fcntl.LOCK_EX, fcntl.LOCK_UN

    def __enter__(self) -> None:
        self._set(self._take)

    def __exit__(self, *_: object) -> None:
        self._set(self._free)


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """While this holds, worker processes share one table, in a file that only this user may read."""
    with tempfile.NamedTemporaryFile(prefix="lossmeter-rates-") as file:
        Path(file.name).write_bytes(bytes(RECORD.size * SLOTS))
        os.environ[SHARED] = file.name
        try:
            yield
        finally:
            del os.environ[SHARED]


def _mark(caller: str) -> int:
    """64 bits that stand for the caller."""
    return int.from_bytes(hashlib.sha256(caller.encode()).digest()[:8], "little")
