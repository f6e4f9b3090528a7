"""The seam between what a call does and the I/O that it needs.

A call is a generator that yields what it wants done, an ``Exchange``, a ``Pause`` or some ``Work``, and is sent what
comes of it, or has the failure thrown into it; its return value is the call's. It opens no socket and reads no clock
but the one it is given, so the blocking and the asynchronous client share all of it, and differ in the loop
that does its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

Buffer: TypeAlias = bytes | bytearray | memoryview

CHUNK = 1 << 18
"""Bytes of a body that are handed to the socket together: enough to be fast, little enough to be copied."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send this request and read the whole answer.

    Attributes:
        method: of HTTP.
        url: absolute, with the query.
        headers: all that the call has to say.
        body: the pieces of the body, none for a request without one.
        timeout: seconds that the connection may stand still.
        seconds: seconds that all of it may take.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Sequence[Buffer]
    timeout: float | None
    seconds: float | None

    def chunks(self) -> Iterator[bytes]:
        """The body for a socket, small pieces together and large ones apart; every attempt may begin anew."""
        pending = bytearray()
        for piece in self.body:
            view = memoryview(piece).cast("B")
            for start in range(0, len(view), CHUNK):
                part = view[start : start + CHUNK]
                if pending and len(pending) + len(part) > CHUNK:
                    yield bytes(pending)
                    pending.clear()
                pending += part
        if pending:
            yield bytes(pending)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        headers: by lower-case name.
        body: all of it, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: Buffer

    @property
    def media_type(self) -> str:
        """What the body is, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Work:
    """Do this, which reads a file, where it keeps nobody waiting.

    Attributes:
        function: what to call; its result comes back.
    """

    function: Callable[[], object]


Step: TypeAlias = Exchange | Pause | Work
Steps: TypeAlias = Generator[Step, Any, T]
"""A call that returns a ``T``."""


def work(function: Callable[[], T]) -> Steps[T]:
    """What the function returns."""
    result: T = yield Work(function)
    return result
