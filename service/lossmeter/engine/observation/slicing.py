"""Slices and clusters as they are sent: a name per row becomes a number per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.arrays import Indices
from lossmeter.engine.state.layout import LONGEST_NAME, MOST_DIMENSIONS, MOST_VALUES
from lossmeter.errors import MOST_PROBLEMS, InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

Slices = Mapping[str, Sequence[str]]
"""By dimension, a value for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """One way to cut a batch.

    Attributes:
        name: of the dimension.
        values: that occur in rows that count, sorted.
        of_rows: ``Int[rows]``, the number of each row's value.
    """

    name: str
    values: tuple[str, ...]
    of_rows: Indices


def dimensions(sent: Slices | None, n: int, kept: Indices | None) -> list[Dimension]:
    """The dimensions by name, of the rows that are kept (None: all).

    Raises:
        InvalidInputError: names that are none, another number of rows, or too many values.
    """
    if sent is None:
        return []
    if not isinstance(sent, Mapping) or len(sent) > MOST_DIMENSIONS:
        detail = f"an object of at most {MOST_DIMENSIONS} dimensions is wanted, with a value for each row"
        raise InvalidInputError.at("slices", detail=detail)
    for name in sent:
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise InvalidInputError.at("slices", detail=f"names of 1 to {LONGEST_NAME} characters are wanted")
    found = [_dimension(name, sent[name], n, kept) for name in sorted(sent)]
    count = sum(len(each.values) for each in found)
    if count > MOST_VALUES:
        detail = f"at most {MOST_VALUES} different values of all dimensions are wanted, these are {count}"
        raise InvalidInputError.at("slices", detail=detail)
    return found


def _dimension(name: str, sent: Sequence[Hashable], n: int, kept: Indices | None) -> Dimension:
    values, codes = _numbered(sent, n, "slices", name)
    names = [value for value in values if isinstance(value, str) and len(value) <= LONGEST_NAME]
    if len(names) < len(values):
        wrong = np.array([not isinstance(value, str) or len(value) > LONGEST_NAME for value in values])
        rows = np.flatnonzero(wrong[codes])
        detail = f"a string of at most {LONGEST_NAME} characters is wanted"
        raise InvalidInputError(
            [Problem(("slices", name, row), detail) for row in rows[:MOST_PROBLEMS].tolist()], len(rows)
        )
    if kept is not None:
        codes = codes[kept]
    occurs = np.flatnonzero(np.bincount(codes, minlength=len(names)))
    order = sorted(occurs.tolist(), key=lambda place: names[place])
    number = np.zeros(len(names), np.intp)
    number[order] = np.arange(len(order))
    return Dimension(name, tuple(names[place] for place in order), number[codes])


def clusters(sent: Sequence[Hashable] | NDArray[Any] | None, n: int, kept: Indices | None) -> Indices | None:
    """The number of each row's cluster, ``Int[rows]``; None where rows are their own.

    Raises:
        InvalidInputError: ids that are no strings or numbers, or another number of rows.
    """
    if sent is None:
        return None
    if isinstance(sent, np.ndarray) and sent.dtype.kind in "iu" and sent.shape == (n,):
        codes: Indices = np.unique(sent, return_inverse=True)[1]
    else:
        ids, codes = _numbered(sent, n, "cluster")
        for place, one in enumerate(ids):
            if not isinstance(one, (str, int, float, np.integer)):
                detail = "a string or a number is wanted"
                raise InvalidInputError.at("cluster", int(np.argmax(codes == place)), detail=detail)
    return codes if kept is None else codes[kept]


def _numbered(sent: Sequence[Hashable] | NDArray[Any], n: int, *path: str) -> tuple[list[Hashable], Indices]:
    """What occurs, in the order in which it does, and where."""
    if isinstance(sent, (str, bytes, Mapping)) or not hasattr(sent, "__len__"):
        raise InvalidInputError.at(*path, detail="a list with a value for each row is wanted")
    values: Sequence[Hashable] = sent.tolist() if isinstance(sent, np.ndarray) else sent
    if len(values) != n:
        detail = f"one value per row is wanted: {n} of them, not {len(values)}"
        raise InvalidInputError.at(*path, detail=detail)
    found: dict[Hashable, int] = {}
    try:
        codes = np.fromiter((found.setdefault(value, len(found)) for value in values), np.intp, n)
    except TypeError as error:
        raise InvalidInputError.at(*path, detail="a list of strings is wanted, not of lists") from error
    return list(found), codes
