"""Σ w p by class, exactly, at the speed of a plain sum.

A probability is taken as the nearest multiple of 2^−40 (half that is 5e-13, as far below what a model knows as it is
above rounding). In a double between 4096 and 8192 the last bit counts 2^−40, so adding 4096 + 2048 leaves the multiple
in the last bits, and the bits of such numbers add up as integers. Weights are cut into whole parts of 16 bits, of which
products with probabilities cut into two parts of 20 bits add up in a matrix product without any rounding.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.digits import Accumulator, Digits
from lossmeter.engine.state.exact import exact_sums, split
from lossmeter.engine.state.layout import FORECAST_BITS, GROUP_FORECAST_BITS

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix, Vector
    from lossmeter.engine.state.digits import Integers

WEIGHT_BITS = 16
HALF_BITS = 20
MOST_ROWS = 1 << (52 - WEIGHT_BITS - HALF_BITS)
"""So many products of the two add up in a double."""

MOST_PENDING = 1 << 22
"""Probabilities of so many rows, in units of 2^−40, add up in 63 bits."""


def grid(bits: int) -> float:
    """What a number in [0, 1] is added to so that its last bit counts 2^−bits."""
    return 1.5 * 2.0 ** (52 - bits)


def on_grid(values: Matrix | Vector, bits: int) -> Matrix:
    """The nearest multiples of 2^−bits."""
    return (values + grid(bits)) - grid(bits)


class Tally:
    """Sums that blocks add to from several threads; what is whole is added up as integers as long as it has room."""

    def __init__(self, sums: int) -> None:
        self._finished, self._lock = Accumulator(sums), threading.Lock()
        self._pending, self._rows = np.zeros(sums, np.int64), 0

    def add_whole(self, integers: Integers, rows: int) -> None:
        """Add integers that are at most 2^40 for each of so many rows."""
        with self._lock:
            if self._rows + rows > MOST_PENDING:
                self._flush()
            self._pending += integers
            self._rows += rows

    def add_digits(self, digits: Digits) -> None:
        """Add sums that are finished."""
        with self._lock:
            self._finished.add_digits(digits)

    def digits(self) -> Digits:
        """All of it."""
        with self._lock:
            self._flush()
            return self._finished.digits()

    def _flush(self) -> None:
        self._finished.add(self._pending, 0)
        self._pending, self._rows = np.zeros_like(self._pending), 0


def add_forecast(tally: Tally, p: Matrix, weights: Vector | None) -> None:
    """Add Σ w p by class in units of 2^−40, of a block.

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
        with np.errstate(over="ignore"):
            whole = np.add.reduce(bits, axis=0) - len(p) * _GRID.view(np.int64)
        tally.add_whole(whole, len(p))
        return
    sums = Accumulator(p.shape[1])
    for start in range(0, len(p), MOST_ROWS):
        rows = slice(start, start + MOST_ROWS)
        _add_weighted(sums, p[rows], weights[rows])
    tally.add_digits(sums.digits())


def _add_weighted(sums: Accumulator, p: Matrix, weights: Vector) -> None:
    upper = on_grid(p, HALF_BITS)
    lower = on_grid(p, FORECAST_BITS) - upper
    for some, part, exponent in split(weights, WEIGHT_BITS):
        whole = np.ldexp(part, -exponent)
        for half, bits in ((upper, HALF_BITS), (lower, FORECAST_BITS)):
            products = np.ldexp(whole @ (half if some is None else half[some]), bits).astype(np.int64)
            sums.add(products, exponent + FORECAST_BITS - bits)


def add_group_forecast(tally: Tally, p: Matrix, groups: Indices, count: int, weights: Vector | None) -> None:
    """Add Σ w p by group and class (group · classes + class), in units of 2^−30, of a block.

    Args:
        tally: so many sums.
        p: ``Float64[rows, classes]`` in [0, 1].
        groups: ``Int[rows]``.
        count: how many groups there are.
        weights: ``Float64[rows]``; None where all weigh 1.
    """
    classes = p.shape[1]
    rounded = on_grid(p, GROUP_FORECAST_BITS)
    if weights is None:
        every = np.stack([np.bincount(groups, rounded[:, each], count) for each in range(classes)], axis=1)
        tally.add_whole(np.ldexp(every, GROUP_FORECAST_BITS).astype(np.int64).reshape(-1), len(p))
        return
    for each in range(classes):
        weighted = np.ldexp(rounded[:, each] * weights, GROUP_FORECAST_BITS)
        tally.add_digits(exact_sums(weighted, groups * classes + each, count * classes))


_GRID = np.float64(grid(FORECAST_BITS))
