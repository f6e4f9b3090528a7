"""Sums over the rows of a batch: correctly rounded but for one unit, and the same however the rows are cut.

A number is split at a power of two far above it: x = high + low, where the highs are so coarse that they add without
any rounding, in any order. What is left is split once more; what is left then is below 2⁻⁶⁴ of the largest number.

Source: Demmel, Nguyen, "Parallel Reproducible Summation", IEEE Transactions on Computers 64 (2015); the splitting is
Rump's ExtractVector.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lossmeter.engine.arrays import Vector

CHUNK = 1 << 15
"""How many numbers are summed at a time: few enough for the cache, and for the coarse parts to add exactly."""

FEW = 256
"""So few numbers are added exactly in Python before a first array is made."""

ROOM = CHUNK.bit_length()
"""Bits between the largest number of a chunk and the power of two at which it is split."""


def total(values: Vector, threads: int | None = None) -> float:
    """Σ values, at most 1 unit (2⁻⁵³) from the correctly rounded sum; infinite if any of them is.

    float32 numbers are added in float64, whose rounding is far below theirs.

    Args:
        values: ``Float[n]``, of one sign.
        threads: how many threads may work; None for one per core.
    """
    if values.strides == (0,):  # one number, repeated
        return float(values[0]) * len(values)
    if values.dtype == np.float32:
        return float(np.add.reduce(values, dtype=np.float64))
    if len(values) <= FEW:
        return _exactly(values.tolist())
    parts: dict[int, tuple[float, float, float]] = {}

    def add(chunk: slice) -> None:
        parts[chunk.start] = _parts(values[chunk])

    blocks.share([slice(start, start + CHUNK) for start in range(0, len(values), CHUNK)], add, threads)
    return _exactly(part for chunk in sorted(parts) for part in parts[chunk])


def _exactly(values: Iterable[float]) -> float:
    """The correctly rounded sum; infinite where it is beyond the range of a double."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _parts(values: Vector) -> tuple[float, float, float]:
    """Three numbers whose exact sum is that of the values, but for what lies below 2⁻⁶⁴ of the largest."""
    largest = max(float(np.max(values)), -float(np.min(values)))
    split = math.ldexp(1.0, math.frexp(largest)[1] + ROOM) if largest < 2.0**900 else math.inf
    if not math.isfinite(split):
        return float(np.add.reduce(values)), 0.0, 0.0
    high = values + split
    high -= split
    low = values - high
    finer = math.ldexp(split, ROOM - 53)
    middle = low + finer
    middle -= finer
    low -= middle
    return float(np.add.reduce(high)), float(np.add.reduce(middle)), float(np.add.reduce(low))
