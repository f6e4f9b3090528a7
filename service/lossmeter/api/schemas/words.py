"""What Pydantic found wrong, said in our words and with paths that resolve in the document as sent."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import ABSENT, InvalidInputError, Problem
from lossmeter.wire.json import TooLargeNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

LONGEST_NAME: Final = 64
"""A name that is longer is no misspelling, and comparing it would cost more than it helps."""

_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "required, but missing",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
    "float_type": lambda _: "must be a number",
    "int_type": lambda _: "must be an integer",
    "greater_than": lambda ctx: f"must be greater than {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']:g}",
    "less_than": lambda ctx: f"must be less than {ctx['lt']:g}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']:g}",
}


def refusal(error: ValidationError) -> InvalidInputError:
    """The same refusal without Pydantic: its problems, those of nested documents and arrays included."""
    problems: list[Problem] = []
    count = 0
    for entry in error.errors(include_url=False):
        nested = entry.get("ctx", {}).get("error")
        if isinstance(nested, InvalidInputError):
            problems += [
                Problem(entry["loc"] + found.path, found.detail, found.value) for found in nested.problems
            ]
            count += nested.count
        else:
            problems.append(_problem(entry))
            count += 1
    return InvalidInputError(problems, count)


def _problem(entry: ErrorDetails) -> Problem:
    value = entry["input"]
    if entry["type"] == "missing":
        return Problem(entry["loc"], _SENTENCES["missing"]({}))
    if isinstance(value, TooLargeNumber):
        return Problem(entry["loc"], "a number too large for a double (at most 1.797e308)", value)
    say = _SENTENCES.get(entry["type"])
    detail = say(entry.get("ctx", {})) if say else entry["msg"]
    return Problem(entry["loc"], f"{detail}{suggestion(value, _expected(entry))}", value)


def _expected(entry: ErrorDetails) -> Collection[str]:
    expected = str(entry.get("ctx", {}).get("expected", ""))
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def suggestion(name: object, known: Collection[str]) -> str:
    """``; did you mean focal?`` if a known name is close to this one, else nothing."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def unknown_name(*path: str, what: str, name: object, known: Collection[str]) -> InvalidInputError:
    """The refusal of a name that is none of the known ones."""
    detail = f"must be a known {what}{suggestion(name, known)}; known: {', '.join(known)}"
    return InvalidInputError.at(*path, detail=detail, value=name)


def missing(*path: str) -> Problem:
    """A required field is not there."""
    return Problem(path, _SENTENCES["missing"]({}), ABSENT)
