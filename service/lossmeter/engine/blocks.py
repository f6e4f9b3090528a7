"""Rows in blocks that stay in the cache, over threads.

NumPy is as fast as the cache it works in: a block of rows goes through all its steps before the next one is
touched, in memory that is used again for every block. Its inner loops release the GIL, so blocks run in
parallel. How the rows are cut changes no bit of the answer: every number of a row depends on that row alone.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Rows: TypeAlias = slice
"""A block: consecutive rows of the batch."""

CACHE_BYTES = 2 * 1024 * 1024
"""What the matrices of a block may take together: about the second-level cache of a core."""

WORTH_A_THREAD = 1 << 16
"""Below this many numbers a second thread costs more than it saves."""


def cut(shape: tuple[int, ...], matrices: float = 4) -> list[Rows]:
    """The blocks of a batch of (n, classes) numbers, in order, for work on so many float64 matrices at a time."""
    n, classes = shape
    step = max(1, int(CACHE_BYTES / (matrices * classes * 8)))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def run(
    shape: tuple[int, ...], work: Callable[[Rows], None], threads: int | None = None, matrices: float = 4
) -> None:
    """Do ``work`` on every block of a batch; the first exception of a block is raised when all have ended.

    Args:
        shape: (n, classes) of the batch.
        work: takes a block; must be safe to call from several threads for different blocks.
        threads: how many threads may work at once; None for one per core.
        matrices: how many float64 matrices of a block the work keeps at a time.
    """
    small = shape[0] * shape[1] < WORTH_A_THREAD
    share(cut(shape, matrices), work, 1 if small else threads)


def share(pieces: Sequence[Rows], work: Callable[[Rows], None], threads: int | None = None) -> None:
    """Do ``work`` on every piece, over threads; floating-point warnings are off in all of them."""
    if len(pieces) == 1:
        with np.errstate(all="ignore"):
            work(pieces[0])
        return
    waiting, next_piece = iter(pieces), threading.Lock()
    helpers = min(threads or cores(), len(pieces)) - 1
    if not threading.main_thread().is_alive():  # the interpreter is ending and starts no more tasks
        helpers = 0
    pending = [_pool().submit(_drain, waiting, next_piece, work) for _ in range(helpers)]
    try:
        _drain(waiting, next_piece, work)
    finally:
        begun = [task for task in pending if not task.cancel()]  # one that has not has nothing left to do
        wait(begun)
    for task in begun:
        task.result()


@cache
def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads that help; made when first needed, shared by all calls."""
    return ThreadPoolExecutor(max_workers=max(1, cores()), thread_name_prefix="lossmeter")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: what is given to a pool of the parent waits for ever, and keeps its batch alive.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _drain(pieces: Iterator[Rows], next_piece: threading.Lock, work: Callable[[Rows], None]) -> None:
    """Work on pieces until none is left. Infinities and NaN are answers here, not accidents."""
    with np.errstate(all="ignore"):
        while True:
            with next_piece:
                rows = next(pieces, None)
            if rows is None:
                return
            work(rows)
