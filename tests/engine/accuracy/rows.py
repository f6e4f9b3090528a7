"""Rows that are hard to get right: gaps from 1e-12 to 700, ties, masks, far offsets, nearly equal pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from numpy.typing import NDArray

MOST_CLASSES = 7

thoroughly = settings(max_examples=2000, deadline=None, derandomize=True)
"""The same examples in every run of the checks, so that a bound that holds today holds tomorrow."""

at_length = settings(max_examples=20_000, deadline=None)
"""Other examples in every run."""


def focal_bound(gamma: float) -> float:
    """What is promised of focal loss in float64: (1−p)^γ (−log p) has the error of the odds γ + 1 times.

    The odds are a sum of exponentials, each rounded as NumPy's exp is (1 unit), by another: 3 or 4 units at worst.
    Measured on 50 000 rows: 7.2 at γ = 1, 11.5 at γ = 2, 24.5 at γ = 5.
    """
    return max(8, 4 + 5 * gamma)


def in_precision(bound: float, dtype: object) -> float:
    """float32 is evaluated in float64, so that nothing shows of what float64 lost."""
    return 8 if dtype is np.float32 else bound


signs = st.sampled_from([-1.0, 1.0])
units = st.integers(-(2**30), 2**30).map(lambda n: n / 2.0**30)
temperatures = st.sampled_from([1.0, 1.0, 0.37, 3.0, 7.3])
dtypes = st.sampled_from([np.float64, np.float32])


@st.composite
def powers(draw: DrawFn, low: float, high: float) -> float:
    """10^low to 10^high, every order of magnitude as likely."""
    return float(10.0 ** draw(st.floats(low, high)))


@st.composite
def logits(draw: DrawFn, classes: int) -> NDArray[np.float64]:
    """One row of one of the hard kinds."""
    kind = draw(st.sampled_from(["near", "wide", "sure", "whole", "far away"]))
    values = np.array([draw(units) for _ in range(classes)])
    best = draw(st.integers(0, classes - 1))
    if kind == "near":
        values *= draw(powers(-12, 0))
    elif kind == "wide":
        values *= draw(powers(-1, 2.5))
    elif kind == "sure":
        values *= draw(powers(-3, 1))
        values[best] += draw(powers(-12, 2.84))
    elif kind == "whole":
        values = np.rint(3 * values)
        values[best] += draw(st.integers(0, 700))
    else:
        values = np.rint(200 * values) / 8 + draw(signs) * 1e15
        values[best] += draw(st.integers(0, 5600)) / 8
    return masked(draw, values, best)


def masked(draw: DrawFn, values: NDArray[np.float64], best: int) -> NDArray[np.float64]:
    """Now and then some classes but the best one are masked."""
    if draw(st.integers(0, 5)) == 0:
        for place in range(len(values)):
            if place != best and draw(st.booleans()):
                values[place] = -np.inf
    return values


@st.composite
def neighbours(draw: DrawFn, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Another row, as near to the first as 1e-12 or as far as it gets."""
    kind = draw(st.sampled_from(["another", "all moved", "one moved", "shifted", "scaled"]))
    if kind == "another":
        return draw(logits(len(row)))
    if kind == "all moved":
        return row + draw(powers(-12, 1.5)) * np.array([draw(units) for _ in row])
    if kind == "one moved":
        moved = row.copy()
        moved[draw(st.integers(0, len(row) - 1))] += draw(signs) * draw(powers(-12, 2.5))
        return moved
    if kind == "shifted":
        return row + draw(st.integers(-50, 50))
    return row * (1 + draw(powers(-12, 0)))


@st.composite
def dyadic(draw: DrawFn, classes: int, bits: int) -> NDArray[np.float64]:
    """Probabilities that are multiples of 2^-bits and sum to 1 exactly; some may be 0."""
    cuts = sorted(draw(st.integers(0, 2**bits)) >> draw(st.integers(0, bits)) for _ in range(classes - 1))
    return np.diff([0, *cuts, 2**bits]) / 2.0**bits


@st.composite
def moved(draw: DrawFn, p: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Some of one class's probability given to another, exactly."""
    q = p.copy()
    giver, taker = draw(st.permutations(range(len(p))))[:2]
    share = min(2.0 ** -draw(st.integers(1, bits)), q[giver])
    q[giver] -= share
    q[taker] += share
    return q


def one(row: NDArray[Any], dtype: Any) -> NDArray[Any]:  # noqa: ANN401  a NumPy scalar type
    """A batch of one row."""
    return row.astype(dtype)[None, :]
