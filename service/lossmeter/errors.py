"""Everything that lossmeter refuses, as one tree; it knows no HTTP.

LossmeterError
├── MalformedBodyError    the bytes are not what their media type promises
├── TooLargeError         more bytes or more numbers than this process takes
└── InvalidInputError     well formed, but not scorable; a ValueError; carries its problems
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Step = str | int

ABSENT: Final = object()
"""The value of a problem that has none to show."""

MOST_PROBLEMS: Final = 20
"""An error names at most this many offenders, whatever their number."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the input.

    Attributes:
        path: keys and indices that lead to the offender, e.g. ``("logits", 3, 1)``.
        detail: what is wrong and what would be accepted, in one sentence.
        value: the offender itself, a scalar or a short string; ``ABSENT`` where there is none.
    """

    path: tuple[Step, ...]
    detail: str
    value: object = ABSENT

    @property
    def pointer(self) -> str:
        """The path as an RFC 6901 JSON Pointer: ``/logits/3/1``."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.path)


class LossmeterError(Exception):
    """Anything lossmeter refuses."""


class MalformedBodyError(LossmeterError):
    """The bytes are not what their media type promises, e.g. not JSON."""


class TooLargeError(LossmeterError):
    """More bytes or more numbers than this process takes."""


class InvalidInputError(LossmeterError, ValueError):
    """Well formed, but not scorable.

    Attributes:
        problems: the first offenders, at most ``MOST_PROBLEMS``.
        count: how many offenders there are in all.
    """

    def __init__(self, problems: Iterable[Problem], count: int | None = None) -> None:
        self.problems: Sequence[Problem] = tuple(problems)[:MOST_PROBLEMS]
        self.count = len(self.problems) if count is None else count
        super().__init__(self._sentence())

    @classmethod
    def at(cls, *path: Step, detail: str, value: object = ABSENT) -> InvalidInputError:
        """An error with a single problem."""
        return cls([Problem(path, detail, value)])

    def _sentence(self) -> str:
        first = self.problems[0]
        more = f" ({self.count - 1} more)" if self.count > 1 else ""
        return f"{first.pointer or 'the input'}: {first.detail}{more}"
