"""Everything that a call of the client can raise, as one tree; what the server says of it is carried along.

LossmeterClientError
├── ConnectionFailedError         no answer: refused, reset, stalled, cut off
├── DeadlineExceededError         the time for the whole call ran out; its cause is what failed before
├── UnexpectedAnswerError         an answer that is none of lossmeter's, as from a proxy
└── ProblemError                  the server says no, and why (RFC 9457)
    ├── MalformedRequestError     400
    ├── AuthenticationError       401, 403
    ├── NotFoundError             404
    ├── TooLargeError             413; batches are split before one sees it
    ├── UnsupportedMediaTypeError 415
    ├── InvalidInputError         422; a ValueError, as from lossmeter.engine
    ├── OverloadedError           429, 503, after the retries
    └── ServerFailedError         any other 5xx

Any other status is a ProblemError itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lossmeter.errors import ABSENT

if TYPE_CHECKING:
    from lossmeter import errors

_LONGEST_SHOWN = 3
# What a pointer, or a sentence that begins with one, says of a row: of the contract's arrays, or of a file's columns.
_ROW = re.compile(
    r"^(/(?:(?:logits|probabilities|log_probabilities)(?:[._]\d+)?|targets?|sample_weights?|slices/[^/]+)/)(\d+)"
)


class LossmeterClientError(Exception):
    """Any failure of a call."""


class ConnectionFailedError(LossmeterClientError):
    """There was no answer: the connection was refused, reset, cut off, or stalled for longer than the timeout."""


class DeadlineExceededError(LossmeterClientError):
    """The time for the whole call ran out; ``__cause__`` is what failed before, if anything did."""


class UnexpectedAnswerError(LossmeterClientError):
    """The answer is not one of lossmeter's, or cannot be read: is the address that of a server of lossmeter?"""


@dataclass(frozen=True, slots=True)
class Offender:
    """One thing that is wrong with the request.

    Attributes:
        pointer: where it is, an RFC 6901 JSON Pointer into the request: ``/logits/3/1``.
        detail: what is wrong and what would be accepted.
        value: the offender, if it can be shown.
    """

    pointer: str
    detail: str
    value: object = None


class ProblemError(LossmeterClientError):
    """The server says no, and why.

    Attributes:
        status: of HTTP.
        type: what kind of problem it is, a URI; ``about:blank`` says no more than the status.
        title: the phrase of the status.
        detail: what was wrong this time, in a sentence.
        instance: the path of the request.
        errors: the first offenders, at most 20.
        count: how many offenders there are in all.
        retry_after: seconds to wait before another attempt, if the server says so.
        document: the whole problem as sent, with members that are not listed here.
    """

    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        # All three are what pickle makes it anew from.
        super().__init__(status, document, retry_after)
        self.status = status
        self.document = document
        self.retry_after = retry_after
        self.type = str(document.get("type", "about:blank"))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        self.instance = str(document.get("instance", ""))
        self.errors = tuple(map(_offender, _objects(document.get("errors"))))
        self.count = _count(document.get("count")) or len(self.errors)

    def __str__(self) -> str:
        more = f" ({self.count - 1} more)" if self.count > 1 and "more)" not in self.detail else ""
        return f"{self.status} {self.title}: {self.detail}{more}"

    def __repr__(self) -> str:
        pointers = [offender.pointer for offender in self.errors[:_LONGEST_SHOWN]]
        more = ", …" if len(self.errors) > _LONGEST_SHOWN else ""
        where = f", errors=[{', '.join(map(repr, pointers))}{more}]" if pointers else ""
        again = f", retry_after={self.retry_after:g}" if self.retry_after is not None else ""
        return f"{type(self).__name__}(status={self.status}, detail={self.detail!r}{where}{again})"

    def at_row(self, first: int) -> Self:
        """The same of a batch in which the request's first row is the row ``first``."""
        errors = [
            {**entry, "pointer": _moved(entry.get("pointer"), first)}
            for entry in _objects(self.document.get("errors"))
        ]
        moved = {"errors": errors, "detail": _moved(self.detail, first)}
        return type(self)(self.status, {**self.document, **moved}, self.retry_after)


class MalformedRequestError(ProblemError):
    """The server could not read the request: client and server are of versions that do not fit, or worse."""

    statuses = (400,)


class AuthenticationError(ProblemError):
    """The server asks for a key, and there was none or an unknown one."""

    statuses = (401, 403)


class NotFoundError(ProblemError):
    """The server has no such endpoint: it is an older one, or ``base_url`` lacks a path."""

    statuses = (404,)


class TooLargeError(ProblemError):
    """The request is larger than the server takes, and cannot be split further.

    Attributes:
        max_body_bytes: the most bytes of one body, if the server says so.
        max_elements: the most numbers of one request, if the server says so.
    """

    statuses = (413,)

    @property
    def max_body_bytes(self) -> int | None:
        """The most bytes that the server takes."""
        return _count(self.document.get("max_body_bytes"))

    @property
    def max_elements(self) -> int | None:
        """The most numbers that the server takes."""
        return _count(self.document.get("max_elements"))


class UnsupportedMediaTypeError(ProblemError):
    """The server does not read such bodies."""

    statuses = (415,)


class InvalidInputError(ProblemError, ValueError):
    """Well formed, but not scorable: ``errors`` says which field, which element, and what would be accepted."""

    statuses = (422,)


class OverloadedError(ProblemError):
    """The server, or this caller's share of it, had too much to do at every attempt; nothing was computed."""

    statuses = (429, 503)


class ServerFailedError(ProblemError):
    """The server or what stands before it failed; this is not the request's fault."""

    statuses = (500, 501, 502, 504)


def problem(status: int, document: Mapping[str, Any], retry_after: float | None = None) -> ProblemError:
    """The error of the class that this status has."""
    for kind in ProblemError.__subclasses__():
        if status in kind.statuses:
            return kind(status, document, retry_after)
    return ProblemError(status, document, retry_after)


def refused_here(error: errors.InvalidInputError) -> ProblemError:
    """What the server would say of an input that is refused before it is sent."""
    offenders = [
        {"pointer": found.pointer, "detail": found.detail}
        | ({} if found.value is ABSENT else {"value": found.value})
        for found in error.problems
    ]
    document = {"title": "Unprocessable Content", "status": 422, "detail": str(error), "errors": offenders}
    return problem(422, document | {"count": error.count})


def _offender(entry: Mapping[str, Any]) -> Offender:
    return Offender(str(entry.get("pointer", "")), str(entry.get("detail", "")), entry.get("value"))


def _moved(text: object, first: int) -> str:
    return _ROW.sub(lambda match: f"{match[1]}{int(match[2]) + first}", str(text or ""))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
