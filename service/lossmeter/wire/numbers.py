"""What counts as a number in an array, and how a run of them becomes float64.

JSON has no infinities and no NaN, so the contract spells them as strings, as the proto3 JSON mapping does.
Inside an array the three spellings are numbers like any other: a matrix of masked logits is one array, not a
list of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

SPELLED: Final[Mapping[str, float]] = {
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
    "NaN": float("nan"),
}
"""The strings that are numbers, exactly as written here and nothing like them."""

LONGEST_LITERAL: Final = 40
"""How much of a number that is no double is kept to show to the caller."""

_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class TooLargeNumber:
    """Stands where the document has a number that no double can hold, such as ``1e400``.

    Attributes:
        literal: the number as sent, cut to ``LONGEST_LITERAL`` characters.
    """

    literal: str


def float64_of(values: Iterable[object]) -> NDArray[np.float64] | None:
    """The values as one vector if each is a number or spelled as one, else None.

    Works in chunks, so that an iterator over millions of numbers never becomes a list of Python floats; gives
    up at the first chunk that holds anything else.
    """
    pieces: list[NDArray[np.float64]] = []
    remaining = iter(values)
    while chunk := list(islice(remaining, _CHUNK)):
        kinds = set(
            map(type, chunk)
        )  # exact types: a bool is an int to isinstance, and no number to the contract
        if not kinds <= {int, float, str}:
            return None
        if str in kinds and not {value for value in chunk if type(value) is str} <= SPELLED.keys():
            return None
        pieces.append(np.array(chunk, dtype=np.float64))  # NumPy reads the three spellings by itself
    return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0), *pieces])


def gather(items: list[object]) -> object:
    """The items as one array if they are numbers, or rows of equal length; else the list itself."""
    rows = [item for item in items if isinstance(item, np.ndarray) and item.ndim == 1]
    if items and len(rows) == len(items):
        same = len({row.size for row in rows}) == 1
        return np.stack(rows).astype(np.float64, copy=False) if same else items
    numbers = float64_of(items)
    return items if numbers is None else numbers
