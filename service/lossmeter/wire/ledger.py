"""Where a reader of JSON is in the document, what it may still spend, and what it must refuse.

Numbers in rectangular arrays cost a few bytes and nanoseconds each. Everything else becomes a Python object, a
hundred bytes and a microsecond for two bytes of input, so its quantity is bounded: a document of millions of ``{}``
or ``""`` is refused instead of built. The costs are about proportional to the time that each takes, so that no
document of 20 MB keeps a core busy for much longer than a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lossmeter.errors import InvalidInputError, MalformedBodyError, Problem

if TYPE_CHECKING:
    from lossmeter.errors import Step

MOST_KEYS: Final = 256
"""No object of the interface has nearly as many; more are refused before each costs an error."""

MOST_LOOSE: Final = 1 << 21
"""What may be spent outside rectangular arrays of numbers: a string of a list costs 1, a container ``_CONTAINER``."""

VALUE: Final = 4
"""What a value costs that is read by itself."""

ROW: Final = 2
"""What a row costs that is an array by itself, because another is ragged or wrong."""

LARGE_NUMBER: Final = 8
"""What a number costs that is read digit by digit, because another beside it is too large for a double."""

MATRIX: Final = 56
"""What an array of arrays costs beyond a container: it is looked at in several ways until one fits."""

LIST: Final = 24
"""What an array costs beyond a container that turned out to hold something other than numbers."""

_CONTAINER: Final = 8

_LONGEST_KEY: Final = 64


class Ledger:
    """The accounts of one reading of one document."""

    def __init__(self, max_depth: int) -> None:
        self.path: list[Step] = []
        self._max_depth = max_depth
        self._left = MOST_LOOSE
        self._problem: Problem | None = None

    def open(self) -> None:
        """Begin a container at the path."""
        self.check_depth()
        self.spend(_CONTAINER)

    def check_depth(self, further: int = 0) -> None:
        """Refuse a container that opens here, or ``further`` levels below, if it lies too deep."""
        if len(self.path) + 1 + further > self._max_depth:
            raise MalformedBodyError(f"The body is nested deeper than {self._max_depth} levels.")

    def spend(self, cost: int) -> None:
        """Pay for values that have become Python objects."""
        self._left -= cost
        if self._left < 0:
            problem = self._at(
                "is where the document came to millions of values that are not in arrays of numbers;"
                " expected rows of numbers, of equal length"
            )
            raise InvalidInputError([self._problem or problem])

    def admit(self, members: dict[str, object], key: str, seen: int) -> bool:
        """Whether a key that comes after ``seen`` others has its value stored; a reason against it is kept."""
        if seen >= MOST_KEYS:
            problem = self._at(f"is an object of more than {MOST_KEYS} keys; expected the documented ones")
            raise InvalidInputError([self._problem or problem])
        if key in members:
            self._refuse(
                self._at("appears more than once in its object; expected each key once", shorten(key))
            )
            return False
        return True

    def settle(self) -> None:
        """Raise what was kept. Readers call it last, for a malformed body is worse than a wrong document."""
        if self._problem is not None:
            raise InvalidInputError([self._problem])

    def _at(self, detail: str, *further: Step) -> Problem:
        return Problem((*self.path, *further), detail)

    def _refuse(self, problem: Problem) -> None:
        self._problem = self._problem or problem


def shorten(key: str) -> str:
    """A key as it may stand in a pointer: an answer must not repeat the megabyte of one."""
    return key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…"
