"""The door by which what a document holds becomes an array, or an error that names the elements to blame."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.errors import ABSENT, MOST_PROBLEMS, InvalidInputError, Problem
from lossmeter.wire.numbers import SPELLED, TooLargeNumber, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lossmeter.errors import Step

_SHAPES: Final = {1: "Float[n]", 2: "Float[n, classes]"}
_DESCRIPTIONS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "is null"),
    (bool, "is a boolean"),
    (TooLargeNumber, "is too large for an IEEE double"),
    (str, "is a string"),
    ((int, float), "is a single number"),
    (dict, "is an object"),
)
_LONGEST_STRING: Final = 40
_SPELLINGS: Final = 'the strings "Infinity", "-Infinity" and "NaN"'


def as_array(
    value: object, path: tuple[Step, ...], *, ranks: tuple[int, ...], max_classes: int | None = None
) -> NDArray[Any]:
    """An array of one of the ranks, from what ``decode`` left; its values are not judged, and its dtype stays.

    Args:
        value: an array or, for the sake of errors, anything else; lists of numbers or of equal rows are taken
            too.
        path: where the value stands in the document, for the pointers of problems.
        ranks: the ranks that are wanted, of 1 and 2.
        max_classes: the most columns that a matrix may have.

    Raises:
        InvalidInputError: names the first elements to blame and says how many there are.
    """
    found = _gather_rows(value) if isinstance(value, list) else value
    if not isinstance(found, np.ndarray):
        raise _error(found, path, ranks)
    _check_shape(found, path, ranks, max_classes)
    return found


def count_numbers(document: object) -> int:
    """How many numbers a document holds, in arrays or outside."""
    if isinstance(document, str):
        return 0
    if isinstance(document, np.ndarray):
        return document.size
    if isinstance(document, dict):
        return sum([count_numbers(value) for value in document.values()])
    if isinstance(document, list):
        return sum([count_numbers(item) for item in document])
    return int(_is_number(document) or isinstance(document, TooLargeNumber))


def _gather_rows(items: list[object]) -> object:
    return gather([gather(item) if isinstance(item, list) else item for item in items])


def _check_shape(
    found: NDArray[np.generic], path: tuple[Step, ...], ranks: tuple[int, ...], max_classes: int | None
) -> None:
    if found.shape[:1] == (0,):
        raise InvalidInputError.at(
            *path, detail=f"is empty; expected {_expected(ranks)} with at least one element"
        )
    if found.ndim not in ranks:
        raise InvalidInputError.at(*path, detail=f"has rank {found.ndim}; expected {_expected(ranks)}")
    if found.ndim == 1:
        return
    columns = found.shape[1]
    if columns == 0:
        raise InvalidInputError.at(*path, detail="has empty rows; expected at least one number in each")
    if max_classes is not None and columns > max_classes:
        raise InvalidInputError.at(*path, detail=f"has {columns} columns; expected at most {max_classes}")


def _error(found: object, path: tuple[Step, ...], ranks: tuple[int, ...]) -> InvalidInputError:
    """The error for a value that is no array: offenders beyond those that are shown are only counted."""
    if not isinstance(found, list):
        return InvalidInputError(
            [Problem(path, f"{_described(found)}; expected {_expected(ranks)}", _shown(found))]
        )
    rank = ranks[0] if len(ranks) == 1 else _apparent_rank(found)
    if rank == 1:
        count = sum(not _is_item(item) for item in found)
        problems = [
            _of_element((*path, *step), item) for step, item in islice(_bad_items(found), MOST_PROBLEMS)
        ]
        return InvalidInputError(problems, count)
    width = _width(found)
    count = sum(_count_in_row(row, width) for row in found)
    return InvalidInputError(islice(_of_rows(found, path, width), MOST_PROBLEMS), count)


def _apparent_rank(items: list[object]) -> int:
    """The rank that the caller seems to have meant: the first item that is a number or a row decides."""
    telling = (item for item in items if isinstance(item, (list, np.ndarray)) or _is_item(item))
    return 2 if isinstance(next(telling, None), (list, np.ndarray)) else 1


def _width(rows: list[object]) -> int:
    """The length that rows should have: that of the first which is not empty."""
    return next((len(row) for row in rows if isinstance(row, (list, np.ndarray)) and len(row)), 0)


def _count_in_row(row: object, width: int) -> int:
    if isinstance(row, list):
        return sum(not _is_item(item) for item in row) or int(len(row) != width)
    return int(not isinstance(row, np.ndarray) or row.ndim != 1 or row.size != width)


def _of_rows(rows: list[object], path: tuple[Step, ...], width: int) -> Iterator[Problem]:
    """The problems of a would-be matrix in document order; a row is blamed for elements or its length."""
    for index, row in enumerate(rows):
        here = (*path, index)
        if not _count_in_row(row, width):
            continue
        if isinstance(row, list) and any(not _is_item(item) for item in row):
            yield from (_of_element((*here, *step), item) for step, item in _bad_items(row))
        elif isinstance(row, np.ndarray) and row.ndim != 1:
            yield Problem(here, "is nested deeper than a row; expected a row of numbers")
        elif isinstance(row, (list, np.ndarray)):
            yield Problem(here, f"has {len(row)} elements; expected {width} as in the other rows")
        else:
            yield Problem(here, f"{_described(row)}; expected a row of numbers", _shown(row))


def _bad_items(items: list[object]) -> Iterator[tuple[tuple[Step, ...], object]]:
    return (((index,), item) for index, item in enumerate(items) if not _is_item(item))


def _of_element(path: tuple[Step, ...], item: object) -> Problem:
    return Problem(path, f"{_described(item)}; expected a number or one of {_SPELLINGS}", _shown(item))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_item(value: object) -> bool:
    return _is_number(value) or (isinstance(value, str) and value in SPELLED)


def _expected(ranks: tuple[int, ...]) -> str:
    return "an array of numbers, " + " or ".join(_SHAPES[rank] for rank in ranks)


def _described(value: object) -> str:
    return next((words for kind, words in _DESCRIPTIONS if isinstance(value, kind)), "is an array")


def _shown(value: object) -> object:
    """What an error may repeat of the offender: scalars, and the beginning of strings."""
    if isinstance(value, TooLargeNumber):
        return value.literal
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_STRING else value[:_LONGEST_STRING] + "…"
    return value if value is None or isinstance(value, (bool, int, float)) else ABSENT
