"""Blocks of rows over threads: every row once, exceptions heard, nothing left running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossmeter.engine import blocks

SHAPE = (400_000, 3)

FORK = """
import gc, os, threading, time, weakref
from lossmeter.engine import blocks

workers = set()

def run():
    def work(rows):
        workers.add(threading.get_ident())
        time.sleep(0.005)
    blocks.run((400_000, 3), work, 2)
    return weakref.ref(work)

run()
child = os.fork()
if child:
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
workers.clear()
left = run()
until = time.monotonic() + 10
while left() is not None and time.monotonic() < until:
    gc.collect()
    time.sleep(0.01)
os._exit(0 if left() is None and len(workers) == 2 else 9)
"""
"""A process that used the threads forks, and its child does the same; 9 if the child was alone or forgot nothing."""

LATE = """
import threading
from lossmeter.engine import blocks

blocks.run((400_000, 3), lambda rows: None, 2)
done = []

def call():
    threading.main_thread().join()
    blocks.run((400_000, 3), done.append, 2)
    print(len(done) == len(blocks.cut((400_000, 3))))

threading.Thread(target=call).start()
"""
"""A thread that scores after the main one has ended."""


@given(st.integers(1, 500_000), st.integers(1, 5000), st.integers(1, 8))
def test_every_row_is_in_one_block(n: int, classes: int, matrices: int) -> None:
    """Blocks follow each other without gap or overlap, and all but the last are of one size that fits the cache."""
    pieces = blocks.cut((n, classes), matrices)
    assert pieces[0].start == 0
    assert pieces[-1].stop == n
    assert all(one.stop == other.start for one, other in pairwise(pieces))
    sizes = {piece.stop - piece.start for piece in pieces[:-1]}
    assert len(sizes) <= 1
    for size in sizes:
        assert size == 1 or size * classes * 8 * matrices <= blocks.CACHE_BYTES


@pytest.mark.parametrize("threads", [None, 1, 2, 7])
def test_every_block_is_worked_on_once(threads: int | None) -> None:
    """Whatever the number of threads."""
    seen = np.zeros(SHAPE[0], np.int64)

    def work(rows: slice) -> None:
        seen[rows] += 1

    blocks.run(SHAPE, work, threads)
    assert (seen == 1).all()


def test_no_more_threads_than_asked_for() -> None:
    """One thread is the caller's own; a small batch never leaves it."""
    workers: set[int] = set()

    def work(rows: slice) -> None:  # noqa: ARG001  a block
        workers.add(threading.get_ident())

    blocks.run(SHAPE, work, 1)
    blocks.run((10, 3), work, 8)
    assert workers == {threading.get_ident()}


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_exception_of_a_block_is_raised_when_all_have_ended(threads: int) -> None:
    """The caller hears of it, and no block is still being worked on by then."""
    busy = 0
    lock = threading.Lock()

    def work(rows: slice) -> None:
        nonlocal busy
        with lock:
            busy += 1
        time.sleep(0.002)
        with lock:
            busy -= 1
        if rows.start == 0:
            raise ValueError("the first block")

    with pytest.raises(ValueError, match="the first block"):
        blocks.run(SHAPE, work, threads)
    assert busy == 0


def test_when_every_block_fails_all_threads_end() -> None:
    """Exceptions in several threads at once leave none of them behind."""
    running = 0
    lock = threading.Lock()

    def work(rows: slice) -> None:
        nonlocal running
        with lock:
            running += 1
        time.sleep(0.002)
        with lock:
            running -= 1
        raise ValueError(f"block {rows.start}")

    for _ in range(20):
        with pytest.raises(ValueError, match="block"):
            blocks.run(SHAPE, work, 8)
        assert running == 0


def test_calls_from_many_threads_do_not_wait_for_each_other_forever() -> None:
    """More callers than there are helping threads all get their work done."""
    done: list[int] = []

    def call(caller: int) -> None:
        counted = np.zeros(SHAPE[0])

        def work(rows: slice) -> None:
            counted[rows] += 1

        blocks.run(SHAPE, work, 4)
        assert (counted == 1).all()
        done.append(caller)

    callers = [threading.Thread(target=call, args=(each,)) for each in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sorted(done) == list(range(12))


def python(script: str) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own."""
    # Python 3.12 and later warn of every fork beside threads, ours or not.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own_and_keeps_no_batch() -> None:
    """Those of its parent are not there; work that is left to them would lie in memory for ever."""
    said = python(FORK)
    assert said.returncode == 0, said.stderr


def test_a_thread_may_outlive_the_main_one() -> None:
    """The interpreter starts no more tasks by then, so the caller does all the work."""
    said = python(LATE)
    assert (said.stdout, said.stderr) == ("True\n", "")


def test_floating_point_warnings_are_off_in_blocks_and_on_again_after() -> None:
    """Infinities are answers in a block; the caller's own settings are as they were."""

    def work(rows: slice) -> None:  # noqa: ARG001  a block
        assert np.log(np.zeros(1))[0] == -np.inf

    before = np.geterr()
    blocks.run(SHAPE, work, 2)
    assert np.geterr() == before


def test_cores() -> None:
    """At least one."""
    assert blocks.cores() >= 1
