"""Small documents, read by orjson: an object of names, numbers and arrays, as most requests are.

simdjson makes no object of a number in an array, but every array costs it some microseconds in Python; of a few
hundred numbers, the objects are cheaper. What is read here means the same as to the other readers: there is a colon
for each key and no more, so no key came twice, of which orjson keeps the last. Whatever is in doubt is left to them,
and so is all that is wrong, for they say what.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import orjson

from lossmeter.wire.numbers import SPELLED, float64_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST: Final = 1 << 13
"""Bytes of a body beyond which simdjson is sooner done."""

_MOST_KEYS: Final = 64
_DEPTH: Final = 3
"""Levels of an object with matrices in it."""

_NUMBERS: Final = frozenset((int, float))
_PLAIN: Final = frozenset((str, int, float, bool, type(None)))


def read(body: bytes | bytearray, max_depth: int) -> dict[str, object] | None:
    """The document, or None if another reader is wanted."""
    if len(body) > LARGEST or max_depth < _DEPTH:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict or len(document) != body.count(b":") or len(document) > _MOST_KEYS:
        return None
    for key, value in document.items():
        if type(value) is list:
            found = _array(value)
            if found is None:
                return None
            document[key] = found
        elif type(value) not in _PLAIN:
            return None
    return document


def _array(items: list[object]) -> NDArray[np.float64] | list[object] | None:
    """Strings as they are, numbers as a vector, rows of one length as a matrix; None for anything else."""
    kinds = set(map(type, items))
    if kinds == {str} and SPELLED.keys().isdisjoint(items):
        return items
    if kinds != {list}:
        return _numbers(items, kinds)
    rows = cast("list[list[object]]", items)
    width = len(rows[0])
    if not width or set(map(len, rows)) != {width}:
        return None
    flat = list(chain.from_iterable(rows))
    found = _numbers(flat, set(map(type, flat)))
    return None if found is None else found.reshape(len(rows), width)


def _numbers(flat: list[Any], kinds: set[type]) -> NDArray[np.float64] | None:
    """The numbers of an array that is not empty, or None if there is anything else in it."""
    if kinds <= _NUMBERS:
        # Told what they are and how many, NumPy need not find out: half of the time of numpy.array on the rows.
        return np.fromiter(flat, np.float64, len(flat)) if flat else None
    return float64_of(flat)  # some are spelled
