"""Memory that is used again: each thread keeps its own, so a block finds it warm in the cache and costs no page fault.

What is taken under a name is overwritten by the next taking of that name in the same thread: it never leaves a block.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.numerics import LONG_ROW

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix

_kept = threading.local()


def matrix(
    name: str, rows: int, classes: int, dtype: np.dtype[Any] | type[np.float32 | np.float64] = np.float64
) -> Matrix:
    """An uninitialised ``Float[rows, classes]`` in the memory order in which such rows are worked on.

    Short rows are laid out class by class, so that every step and every reduction runs across examples; long rows lie
    along their own memory.
    """
    size = rows * classes
    memory = _kept.__dict__.get(name)
    if memory is None or memory.nbytes < size * np.dtype(dtype).itemsize:
        memory = _kept.__dict__[name] = np.empty(size, dtype)
    flat: Matrix = memory.view(dtype)[:size]
    return flat.reshape(rows, classes) if classes >= LONG_ROW else flat.reshape(classes, rows).T


def rows(name: str, count: int, classes: int, dtype: np.dtype[Any]) -> Matrix:
    """An uninitialised ``Float[count, classes]`` whose rows lie one after the other, however short they are."""
    size = count * classes
    return matrix(name, 1, max(size, LONG_ROW), dtype).reshape(-1)[:size].reshape(count, classes)


def flat(block: Matrix) -> Matrix:
    """The numbers of such a matrix in the order of its memory, as a view."""
    return block.reshape(-1) if block.flags.c_contiguous else block.T.reshape(-1)


def places(columns: Indices, classes: int) -> Indices:
    """Where in ``flat`` the element of each row lies that is in the given column."""
    rows = len(columns)
    starts = _counted(rows)
    return starts * classes + columns if classes >= LONG_ROW else columns * rows + starts


@lru_cache(maxsize=32)
def _counted(rows: int) -> Indices:
    """0, 1, 2 …."""
    counted = np.arange(rows)
    counted.flags.writeable = False
    return counted
