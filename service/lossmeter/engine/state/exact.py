"""Σ of doubles, exactly, in all or by key: vectorised, and the same however the rows are cut or ordered.

A number is split at fixed powers of two as in ``engine.summation``, but to the end: what is taken off are multiples of
one power of two, few enough to add in a double without any rounding; the rest is split again until nothing is left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.fused import kernels
from lossmeter.engine.state.digits import BITS, Accumulator, Digits, carried

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from lossmeter.engine.arrays import Indices, Matrix, Vector

CHUNK = 1 << 14
"""How many numbers are split at a time: few enough for the cache."""

MANY_SUMS = 1 << 12
"""From here on carrying costs more than the cache gives, and the chunks are longer."""

HUGE = 2.0**600
"""Numbers from here on are added by themselves, scaled, because the power at which they are split would overflow."""

SCALED = 16
"""By so many places (2^−512)."""

FEW_LEFT = 3
"""Where fewer than one in so many numbers is not yet 0, only those are looked at any more."""

WORTH_A_LOOP = 1 << 11
"""From so many numbers on a compiled loop over them is faster than what surrounds it."""

LOWEST, HIGHEST = -34, 35
"""The places of the digits of doubles, and room for those of their sums."""

SMALLEST = -1074
"""Every double is a multiple of 2 to this power."""


def exact_sums(values: Vector, keys: Indices | None = None, sums: int = 1) -> Digits:
    """Σ of the values of each key.

    Args:
        values: ``Float64[n]``, finite and ≥ 0.
        keys: ``Int[n]`` in 0 … sums − 1; None for a single sum.
        sums: how many there are.
    """
    loops = kernels()
    if loops is not None and len(values) >= max(WORTH_A_LOOP, sums):
        return _by_digit(loops, values, keys, sums)
    added = Accumulator(sums)
    if len(values) and not np.max(values) < HUGE:
        huge = values >= HUGE
        if not np.isfinite(values).all():
            raise ValueError("only finite numbers have a sum")
        scaled = np.ldexp(values[huge], -SCALED * BITS)
        added.add_digits(exact_sums(scaled, None if keys is None else keys[huge], sums).shifted(SCALED))
        values = np.where(huge, 0, values)
    step = CHUNK if sums < MANY_SUMS else CHUNK << 6
    for start in range(0, len(values), step):
        chunk = slice(start, start + step)
        of_chunk = None if keys is None else keys[chunk]
        for some, part, exponent in split(values[chunk], 52 - step.bit_length()):
            summed = _summed(part, of_chunk if some is None or of_chunk is None else of_chunk[some], sums)
            added.add(np.ldexp(summed, -exponent).astype(np.int64), exponent)
    return added.digits()


def _by_digit(loops: ModuleType, values: Vector, keys: Indices | None, sums: int) -> Digits:
    """The same, by adding the digits of every number where they belong."""
    if not np.max(values) < np.inf:
        raise ValueError("only finite numbers have a sum")
    planes = np.zeros((HIGHEST - LOWEST, sums), np.int64)
    of_sums = np.zeros(0, np.intp) if keys is None else keys
    loops.add_exactly(np.ascontiguousarray(values), np.ascontiguousarray(of_sums), planes, LOWEST)
    used = np.flatnonzero(planes.any(axis=1))
    if not used.size:
        return Digits.nothing(sums)
    return carried(LOWEST + int(used[0]), planes[used[0] : used[-1] + 1])


def _summed(part: Vector, keys: Indices | None, sums: int) -> Vector:
    if keys is None:
        return np.add.reduce(part, keepdims=True)
    return np.bincount(keys, part, sums).astype(np.float64, copy=False)


def split(values: Vector, width: int) -> Iterator[tuple[Indices | None, Vector, int]]:
    """Parts whose sum is that of values ≥ 0, each a multiple of 2^exponent, at most 2^(exponent + width) in size.

    With every part comes of which values it is (None: of all). Parts are overwritten as the iteration goes on.
    """
    rows: Indices | None = None
    rest, part = values, np.empty(len(values))
    exponent = math.frexp(float(np.max(values, initial=0)))[1]
    while True:
        left = np.count_nonzero(rest)
        if not left:
            return
        if FEW_LEFT * left < len(rest):  # the end of a few long ones
            found = np.flatnonzero(rest)
            rows, rest, part = found if rows is None else rows[found], rest[found], np.empty(left)
        exponent = max(exponent - width, SMALLEST)
        grid = math.ldexp(1.5, exponent + 52)
        np.add(rest, grid, out=part)
        np.subtract(part, grid, out=part)
        rest = np.subtract(rest, part, out=None if rest is values else rest)
        yield rows, part, exponent


def exact_columns(values: Matrix) -> Digits:
    """Σ of each column of ``Float64[rows, columns]``, finite and ≥ 0."""
    rows, columns = values.shape
    keys = np.tile(np.arange(columns), rows)
    return exact_sums(np.ascontiguousarray(values).reshape(-1), keys, columns)
