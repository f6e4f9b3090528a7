"""Gradients with respect to logits sum to 0 along a row, because adding a constant to a row changes nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.numerics import LONG_ROW, halved_sum, is_single, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix, Vector


def close_rows(gradients: Matrix, places: Indices, size: Vector | None = None) -> None:
    """Make one entry of every row minus the sum of the others, rounded once.

    Args:
        gradients: ``Float[rows, classes]`` in a memory order in which rows are worked on.
        places: where in that memory (``scratch.flat``) the entry of each row lies.
        size: ``Float64[rows]``, Σ |entry| of the others within a factor of 2, where it is known.
    """
    flat = scratch.flat(gradients)
    flat[places] = 0
    flat[places] = 0.0 - exact_row_sums(gradients, size)


def exact_row_sums(terms: Matrix, size: Vector | None = None) -> Vector:
    """Σ_c terms[i, c] in float64, at most 1 unit of the dtype from the exact sum, unless the terms cancel in it.

    A float64 is split at a power of two above the sum of all: the upper parts are multiples of one number and add
    without rounding in any order (Rump's ExtractVector), the lower parts are too small for their rounding to matter.
    """
    if terms.dtype == np.float32:
        long = terms.shape[1] >= LONG_ROW
        return np.add.reduce(terms, axis=1, dtype=np.float64) if long else row_sums(terms.astype(np.float64))
    if terms.shape[1] <= 2:  # noqa: PLR2004  one addition rounds once
        return row_sums(terms)
    if is_single(terms):
        return np.array([exact_sum(terms[0].tolist(), None if size is None else float(size[0]))])
    part = scratch.matrix("part", *terms.shape)
    size = row_sums(np.abs(terms, out=part)) if size is None else size
    split = np.ldexp(1.0, np.frexp(size)[1] + 2)[:, None]
    np.add(terms, split, out=part)
    np.subtract(part, split, out=part)
    upper = row_sums(part)
    return upper + row_sums(np.subtract(terms, part, out=part))


def exact_sum(terms: list[float], size: float | None) -> float:
    """The same for one short row, by the same additions."""
    if len(terms) <= 2:  # noqa: PLR2004  as above
        return halved_sum(terms)
    size = halved_sum([abs(term) for term in terms]) if size is None else size
    split = float(np.ldexp(1.0, math.frexp(size)[1] + 2))
    upper = [(term + split) - split for term in terms]
    return halved_sum(upper) + halved_sum([term - part for term, part in zip(terms, upper, strict=True)])
