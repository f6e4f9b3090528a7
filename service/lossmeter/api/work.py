"""Work that takes longer than a millisecond, done off the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from lossmeter.errors import LossmeterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CapacityLimiter

T = TypeVar("T")


async def off_loop(work: Callable[[], T], limiter: CapacityLimiter) -> T:
    """What the work returns, done in a thread as soon as the limiter lets it."""
    outcome = await anyio.to_thread.run_sync(lambda: _attempt(work), limiter=limiter)
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
