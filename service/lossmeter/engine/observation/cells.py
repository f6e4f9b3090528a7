"""Single elements of the rows of a block, in whichever order its matrix lies in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix, Vector


def flat(block: Matrix) -> Matrix:
    """The numbers of a contiguous matrix in the order of its memory, as a view."""
    return block.reshape(-1) if block.flags.c_contiguous else block.T.reshape(-1)


def taken(block: Matrix, columns: Indices) -> Vector:
    """The element of each row that is in the given column."""
    return flat(block).take(_places(block, columns))


def put(block: Matrix, columns: Indices, values: Vector | float) -> None:
    """Write the element of each row that is in the given column."""
    flat(block)[_places(block, columns)] = values


def _places(block: Matrix, columns: Indices) -> Indices:
    rows, classes = block.shape
    starts = np.arange(rows)
    return starts * classes + columns if block.flags.c_contiguous else columns * rows + starts
