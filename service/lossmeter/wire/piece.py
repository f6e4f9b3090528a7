"""A piece of a stream, rows that are scored together; what makes pieces of bytes, and what answers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from lossmeter.errors import InvalidInputError, LossmeterError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Groups:
    """Columns by which rows are told apart, by name.

    Attributes:
        slices: a dimension each.
        cluster: what rows belong together by, if any.
    """

    slices: tuple[str, ...] = ()
    cluster: str | None = None


def as_sent(problem: Problem) -> Problem:
    """The problem as it is: the arrays were sent under the contract's names."""
    return problem


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows to be scored.

    Attributes:
        arrays: by the contract's names, as /v1/score takes them.
        lines: how many rows it has, if each is a line of its own and answered by one; None for a batch.
        carried: columns that go with the rows into the answer.
        renamed: a problem in the caller's words.
    """

    arrays: dict[str, Any]
    lines: int | None = None
    carried: Any = None
    renamed: Callable[[Problem], Problem] = as_sent

    def first(self, lines: int) -> Piece:
        """The first of the lines."""
        return replace(self, arrays={name: rows[:lines] for name, rows in self.arrays.items()}, lines=lines)

    def row_of(self, error: InvalidInputError) -> int | None:
        """The row that an error names first, if it is about one."""
        match error.problems[0].path:
            case (str(name), int(row), *_) if name in self.arrays:
                return row
        return None

    def blame(self, error: InvalidInputError) -> InvalidInputError:
        """The error in the caller's words."""
        return InvalidInputError([self.renamed(problem) for problem in error.problems], error.count)


class Framer(Protocol):
    """What makes units of bytes: messages, or whole lines.

    Attributes:
        held: bytes that it holds, or will for the unit that has begun.
    """

    held: int

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The units that a chunk completes."""

    def finish(self) -> Iterator[Any]:
        """The last unit, if only the end of the bytes ends it."""


class Source(Protocol):
    """What makes pieces of units."""

    framer: Framer

    def pieces(self, unit: Any) -> Iterator[Piece]:  # noqa: ANN401 - its own framer's
        """What can be scored together; what comes before an error is given first."""

    def row_of(self, error: LossmeterError) -> int | None:
        """The row that such an error is about, counted from the last piece that was given."""


class Sink(Protocol):
    """What writes the answer."""

    def write(self, document: Mapping[str, Any], piece: Piece) -> Iterable[Buffer]:
        """The answer to a piece."""

    def end(self, name: str, record: Mapping[str, Any]) -> Iterable[Buffer]:
        """The last record: a ``summary`` or a ``problem``."""
