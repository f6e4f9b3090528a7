"""Σ w p by class and by group of rows, exactly, at the speed of a plain sum.

A probability is taken as the nearest multiple of 2^−50, within the rounding of most of them. In a double between 4 and
8 the last bit counts 2^−50, so adding 6 leaves the multiple in the last bits, and the bits of such numbers add up as
integers. Weights are cut into whole parts of 15 bits, of which products with probabilities cut into two parts of 25
bits add up in a matrix product without any rounding.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.digits import Accumulator, Digits
from lossmeter.engine.state.exact import exact_sums, split
from lossmeter.engine.state.layout import FORECAST_BITS

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix, Vector
    from lossmeter.engine.state.digits import Integers

WEIGHT_BITS = 15
HALF_BITS = FORECAST_BITS // 2

MOST_ROWS = 1 << 12
"""So many products of the two add up in a double; and as many probabilities as whole numbers in 63 bits."""


def grid(bits: int) -> float:
    """What a number in [0, 1] is added to so that its last bit counts 2^−bits."""
    return 1.5 * 2.0 ** (52 - bits)


def on_grid(values: Matrix | Vector, bits: int) -> Matrix:
    """The nearest multiples of 2^−bits."""
    return (values + grid(bits)) - grid(bits)


class Tally:
    """Sums that blocks add to from several threads."""

    def __init__(self, sums: int) -> None:
        self._sums, self._lock = Accumulator(sums), threading.Lock()

    def add_whole(self, integers: Integers) -> None:
        """Add integers, ``Int64[pieces, sums]``."""
        with self._lock:
            for piece in integers:
                self._sums.add(piece, 0)

    def add_digits(self, digits: Digits) -> None:
        """Add sums that are finished."""
        with self._lock:
            self._sums.add_digits(digits)

    def digits(self) -> Digits:
        """All of it."""
        with self._lock:
            return self._sums.digits()


def add_forecast(tally: Tally, p: Matrix, weights: Vector | None) -> None:
    """Add Σ w p by class in units of 2^−50, of a block.

    Args:
        tally: a sum for each class.
        p: ``Float64[rows, classes]`` in [0, 1] in scratch memory; overwritten.
        weights: ``Float64[rows]``; None where all weigh 1.
    """
    if weights is not None and ((weights == 0) | (weights == 1)).all():
        p[weights == 0] = 0
        weights = None
    if weights is None:
        np.add(p, _GRID, out=p)
        bits = p.view(np.int64) if p.flags.c_contiguous else p.T.view(np.int64).T
        pieces = [bits[rows] for rows in _pieces(len(p))]
        tally.add_whole(np.array([np.add.reduce(each, axis=0) - len(each) * _ZERO for each in pieces]))
        return
    sums = Accumulator(p.shape[1])
    for rows in _pieces(len(p)):
        _add_weighted(sums, p[rows], weights[rows])
    tally.add_digits(sums.digits())


def _pieces(n: int) -> list[slice]:
    return [slice(start, start + MOST_ROWS) for start in range(0, n, MOST_ROWS)]


def _add_weighted(sums: Accumulator, p: Matrix, weights: Vector) -> None:
    upper = on_grid(p, HALF_BITS)
    lower = on_grid(p, FORECAST_BITS) - upper
    for some, part, exponent in split(weights, WEIGHT_BITS):
        whole = np.ldexp(part, -exponent)
        for half, bits in ((upper, HALF_BITS), (lower, FORECAST_BITS)):
            products = np.ldexp(whole @ (half if some is None else half[some]), bits).astype(np.int64)
            sums.add(products, exponent + FORECAST_BITS - bits)


def add_group_forecast(tally: Tally, p: Matrix, groups: Indices, count: int, weights: Vector | None) -> None:
    """Add Σ w p by group and class (group · classes + class), in units of 2^−50, of a block.

    Args:
        tally: so many sums.
        p: ``Float64[rows, classes]`` in [0, 1].
        groups: ``Int[rows]``.
        count: how many groups there are, fewer than 2^16.
        weights: ``Float64[rows]``; None where all weigh 1.
    """
    classes = p.shape[1]
    if weights is None:
        pieces = [_whole_by_group(p[rows], groups[rows], count) for rows in _pieces(len(p))]
        tally.add_whole(np.array(pieces))
        return
    for each in range(classes):
        weighted = np.ldexp(on_grid(p[:, each], FORECAST_BITS) * weights, FORECAST_BITS)
        tally.add_digits(exact_sums(weighted, groups * classes + each, count * classes))


def _whole_by_group(p: Matrix, groups: Indices, count: int) -> Integers:
    """Rows are brought together by group, so that runs of the bits of a class are added up."""
    order = np.argsort(groups.astype(np.uint16), kind="stable")  # by radix
    rows_of = np.bincount(groups, minlength=count)
    occur = np.flatnonzero(rows_of)
    rows = rows_of[occur]
    bits = (np.take(p.T, order, axis=1) + _GRID).view(np.int64)
    every = np.zeros((count, p.shape[1]), np.int64)
    every[occur] = (np.add.reduceat(bits, np.cumsum(rows) - rows, axis=1) - rows * _ZERO).T
    return every.reshape(-1)


_GRID = np.float64(grid(FORECAST_BITS))
_ZERO = _GRID.view(np.int64)
"""The bits of 0 on it. Sums of them overflow, and come back as it is taken off as often as it was added."""
