"""When to try again, and for how long: a policy that knows no sockets.

Scoring is pure, so a request may be repeated whether or not the first was received. Pauses have full jitter, uniform
in [0, min(longest, first · 2^k)] after k retries: it spreads callers that failed together best (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog 2015).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from lossmeter.client.errors import (
    ConnectionFailedError,
    LossmeterClientError,
    ProblemError,
)

AGAIN: Final = frozenset({429, 502, 503, 504})
"""Statuses that pass: too much in flight, and a proxy that lost the server behind it, as when one is replaced."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a client bears failures.

    Attributes:
        retries: most attempts after the first, for one request.
        deadline: seconds that a call may take, with all its requests and pauses; None: no end.
        timeout: seconds that a connection may stand still; None: no end.
        first: seconds of the longest first pause.
        longest: seconds of the longest pause of any.
        clock: seconds that only grow.
        jitter: a number in [0, 1), another at each call.
    """

    retries: int
    deadline: float | None
    timeout: float | None
    first: float = 0.1
    longest: float = 10.0
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def begin(self) -> Deadline:
        """The deadline of a call that begins now."""
        return Deadline(self.clock, None if self.deadline is None else self.clock() + self.deadline)

    def pause(self, failure: LossmeterClientError, retried: int, deadline: Deadline) -> float:
        """Seconds to wait before another attempt.

        Args:
            failure: of the attempt before.
            retried: how many attempts there were after the first.
            deadline: of the call.

        Raises:
            LossmeterClientError: the failure itself, if it is final, or if no other attempt fits in the time.
        """
        if not _passes(failure) or retried >= self.retries:
            raise failure
        asked = failure.retry_after if isinstance(failure, ProblemError) else None
        # What the server asks for comes first; the jitter behind it keeps callers from coming back as one.
        seconds = (asked or 0.0) + self.jitter() * min(self.longest, self.first * 2.0**retried)
        left = deadline.left()
        if left is not None and seconds >= left:
            raise failure
        return seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a call; one without end never comes."""

    clock: Callable[[], float]
    end: float | None

    def left(self) -> float | None:
        """Seconds that are left, possibly none or less."""
        return None if self.end is None else self.end - self.clock()


def seconds_of(retry_after: str | None) -> float | None:
    """What a Retry-After header asks for: seconds or a date (RFC 9110, section 10.2.3); None if it says nothing."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _passes(failure: LossmeterClientError) -> bool:
    return isinstance(failure, ConnectionFailedError) or (
        isinstance(failure, ProblemError) and failure.status in AGAIN
    )
