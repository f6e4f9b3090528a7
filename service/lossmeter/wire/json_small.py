"""Small documents, read by orjson: an object of names, numbers, arrays and such objects, as most requests are.

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
_LEVELS: Final = 3
"""How many objects may lie in one another: tensors lie in a list, and may have parameters."""
_DEPTH: Final = 2 * _LEVELS + 1
"""Levels of that, with lists between them and a matrix in the last."""

_IN_DOUBT: Final = -LARGEST
"""So little that it stays below 0, whatever is added for the rest of the body."""

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
    # The colons are counted in strings, too: there may be more of them than keys, but never fewer.
    is_sure = type(document) is dict and _keys(document, _LEVELS) == body.count(b":")
    return document if is_sure else None


def _keys(found: dict[str, Any], levels: int) -> int:
    """How many keys an object and those in it have; their arrays are put in. ``_IN_DOUBT`` if it is."""
    count = len(found)
    if not levels or count > _MOST_KEYS:
        return _IN_DOUBT
    for key, value in found.items():
        kind = type(value)
        if kind is list and set(map(type, value)) == {dict}:
            count += sum([_keys(each, levels - 1) for each in value])
        elif kind is list:
            array = _array(value)
            if array is None:
                return _IN_DOUBT
            found[key] = array
        elif kind is dict:
            count += _keys(value, levels - 1)
        elif kind not in _PLAIN:
            return _IN_DOUBT
    return count


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
