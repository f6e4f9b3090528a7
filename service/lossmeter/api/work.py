"""Work that takes longer than a millisecond, done off the event loop, and refused rather than left to wait."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException

from lossmeter.api.errors import RETRY_AFTER
from lossmeter.errors import LossmeterError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NO_THREAD: Final = "can't start new thread"
"""All that Python says when the system has no memory for a thread's stack, or grants this user no more processes."""


class Cores:
    """The cores of this process, and who waits for one.

    A request that has begun goes on before another begins: what was read is scored and answered, and its memory
    goes. A request that would wait for long is refused while that costs nothing, for its caller gives up anyway.

    Args:
        count: as many jobs run at a time; more would only share caches and memory.
        most_waiting: requests that may wait to begin.
        longest_wait: seconds that each may.
    """

    def __init__(self, count: int, most_waiting: int, longest_wait: float) -> None:
        self._running = anyio.CapacityLimiter(count)
        self._beginning = anyio.CapacityLimiter(1)
        self._threads = anyio.CapacityLimiter(math.inf)
        self._most_waiting = most_waiting
        self._longest_wait = longest_wait
        self._waiting = 0

    async def begin(self, work: Callable[[], T], check: Callable[[], None] | None = None) -> T:
        """The first job of a request.

        Args:
            work: the job.
            check: raises if it need not be done any more, which is asked when it could be.

        Raises:
            HTTPException: 503, too many wait already, or this one has waited too long.
        """
        self.check_room()
        turn = object()
        self._waiting += 1
        try:
            # The first in line alone waits for a core: so a job of a request that has begun is never behind the line.
            with anyio.move_on_after(self._longest_wait) as wait:
                async with self._beginning:
                    await self._running.acquire_on_behalf_of(turn)
        finally:
            self._waiting -= 1
        if wait.cancelled_caught:
            raise HTTPException(503, "No core has become free in time.", RETRY_AFTER)
        try:
            if check is not None:
                check()
            return await self._in_thread(work)
        finally:
            self._running.release_on_behalf_of(turn)

    def check_room(self) -> None:
        """Refuses another request if too many wait already.

        Raises:
            HTTPException: 503.
        """
        if self._waiting >= self._most_waiting:
            raise HTTPException(503, "Too many requests are waiting for a core just now.", RETRY_AFTER)

    async def go_on(self, work: Callable[[], T]) -> T:
        """A further job of a request: it waits for a core, and is not refused."""
        async with self._running:
            return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            outcome = await anyio.to_thread.run_sync(lambda: _attempt(work), limiter=self._threads)
        except RuntimeError as error:
            if str(error) != _NO_THREAD:
                raise
            raise MemoryError(_NO_THREAD) from None
        try:
            if isinstance(outcome, LossmeterError):
                raise outcome
            return outcome
        finally:
            del outcome  # or this frame and the error's traceback would hold each other


def _attempt(work: Callable[[], T]) -> T | LossmeterError:
    """What the work returns, or the refusal that it raises, without the frames and errors behind it.

    Those hold all that was read of the body, and between threads they come into a cycle that stands until the
    next full garbage collection: half a gigabyte for 30 MB of ragged rows.
    """
    try:
        return work()
    except LossmeterError as error:
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return error
