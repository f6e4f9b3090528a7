"""Σ w p by class, exactly, at the speed of a plain sum.

A probability is taken as the nearest multiple of 2^−40 (half that is 5e-13, as far below what a model knows as it is
above rounding). In a double between 4096 and 8192 the last bit counts 2^−40, so adding 4096 + 2048 leaves the multiple
in the last bits, and the bits of such numbers add up as integers. Weights are cut into whole parts of 16 bits, of which
products with probabilities cut into two parts of 20 bits add up in a matrix product without any rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.digits import Accumulator, Digits
from lossmeter.engine.state.exact import exact_sums, split
from lossmeter.engine.state.layout import FORECAST_BITS, GROUP_FORECAST_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.arrays import Indices, Matrix, Vector

WEIGHT_BITS = 16
HALF_BITS = 20
MOST_ROWS = 1 << (52 - WEIGHT_BITS - HALF_BITS)
"""So many products of the two add up in a double."""


def grid(bits: int) -> float:
    """What a number in [0, 1] is added to so that its last bit counts 2^−bits."""
    return 1.5 * 2.0 ** (52 - bits)


def on_grid(values: Matrix | Vector, bits: int) -> Matrix:
    """The nearest multiples of 2^−bits."""
    return (values + grid(bits)) - grid(bits)


def column_sums(p: Matrix, weights: Vector | None) -> Accumulator:
    """Σ w p by class in units of 2^−40, of a block.

    Args:
        p: ``Float64[rows, classes]`` in [0, 1] in scratch memory; overwritten.
        weights: ``Float64[rows]``; None where all weigh 1.
    """
    sums = Accumulator(p.shape[1])
    if weights is not None and ((weights == 0) | (weights == 1)).all():
        p[weights == 0] = 0
        weights = None
    if weights is None:
        bits = (
            np.add(p, grid(FORECAST_BITS), out=p).view(np.int64)
            if p.flags.c_contiguous
            else _bits_of_columns(p)
        )
        with np.errstate(over="ignore"):
            whole = np.add.reduce(bits, axis=0) - np.int64(len(p)) * np.float64(grid(FORECAST_BITS)).view(
                np.int64
            )
        sums.add(whole, 0)
        return sums
    for start in range(0, len(p), MOST_ROWS):
        rows = slice(start, start + MOST_ROWS)
        _add_weighted(sums, p[rows], weights[rows])
    return sums


def _bits_of_columns(p: Matrix) -> NDArray[np.int64]:
    np.add(p, grid(FORECAST_BITS), out=p)
    return p.T.view(np.int64).T


def _add_weighted(sums: Accumulator, p: Matrix, weights: Vector) -> None:
    upper = on_grid(p, HALF_BITS)
    lower = on_grid(p, FORECAST_BITS) - upper
    for part, exponent in split(weights, WEIGHT_BITS):
        whole = np.ldexp(part, -exponent)
        for half, bits in ((upper, HALF_BITS), (lower, FORECAST_BITS)):
            products = np.ldexp(whole @ half, bits).astype(np.int64)
            sums.add(products, exponent + FORECAST_BITS - bits)


def group_sums(p: Matrix, groups: Indices, count: int, weights: Vector | None) -> Digits:
    """Σ w p by group and class (group · classes + class), in units of 2^−30, of a block.

    Args:
        p: ``Float64[rows, classes]`` in [0, 1].
        groups: ``Int[rows]``.
        count: how many groups there are.
        weights: ``Float64[rows]``; None where all weigh 1.
    """
    classes = p.shape[1]
    sums = Accumulator(count * classes)
    rounded = on_grid(p, GROUP_FORECAST_BITS)
    if weights is None:
        every = np.stack([np.bincount(groups, rounded[:, each], count) for each in range(classes)], axis=1)
        sums.add(np.ldexp(every, GROUP_FORECAST_BITS).astype(np.int64).reshape(-1), 0)
        return sums.digits()
    for each in range(classes):
        weighted = np.ldexp(rounded[:, each] * weights, GROUP_FORECAST_BITS)
        sums.add_digits(exact_sums(weighted, groups * classes + each, count * classes))
    return sums.digits()
