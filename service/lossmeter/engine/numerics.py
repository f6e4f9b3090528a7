"""Stable primitives, each with its error bound in units of the dtype's rounding (2⁻⁵³ or 2⁻²⁴, relative).

Nothing here subtracts what it could add: a quantity that may be tiny is built from its tiny parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Indices, Mask, Matrix, Vector

LONG_ROW = 64
"""From this many classes on a row is long enough to be summed along its own memory."""

SHORT_ROW = 16
"""Up to so many classes a single row is added up in Python."""


def row_sums(terms: Matrix) -> Vector:
    """Σ_c terms[i, c], in an order that depends on the number of classes alone.

    Bound: 3 + log2 classes for terms of one sign, as tested; the worst seen is 7.3, at 120 classes. By the additions
    alone it is 2 log2 classes for short rows and 25 + log2 classes for long ones, of which NumPy adds up to 16 terms
    and a remainder of 7 one by one.

    Short rows are added as halves, so that every addition runs across examples and a single row is added
    exactly as it would be among a million; long rows by NumPy's pairwise sum along their own memory.
    """
    classes = terms.shape[1]
    if is_single(terms):
        return np.array([halved_sum(terms[0].tolist())])
    if classes >= LONG_ROW:
        return np.add.reduce(np.ascontiguousarray(terms), axis=1)
    if classes == 1:
        return terms[:, 0].copy()
    by_class = terms.T
    while True:
        half = classes // 2
        summed = by_class[:half] + by_class[half : 2 * half]
        if classes % 2:
            summed[0] += by_class[classes - 1]
        if half == 1:
            return summed[0]
        by_class, classes = summed, half


def is_single(terms: Matrix) -> bool:
    """Whether this is one short float64 row: Python adds it up before NumPy has looked at its arguments."""
    return len(terms) == 1 and terms.shape[1] <= SHORT_ROW and terms.dtype == np.float64


def halved_sum(terms: list[float]) -> float:
    """The sum of one short row by the same additions as among a million."""
    while (half := len(terms) // 2) > 0:
        summed = [left + right for left, right in zip(terms, terms[half:], strict=False)][:half]
        if len(terms) % 2:
            summed[0] += terms[-1]
        terms = summed
    return terms[0]


def rounded_off(minuend: Floats, subtrahend: Floats, difference: Floats) -> Floats:
    """What rounding took from ``difference = minuend - subtrahend``: exactly (Knuth's two-sum)."""
    virtual = minuend - difference
    return (minuend - (difference + virtual)) + (virtual - subtrahend)


def log1p_minus(u: Floats) -> Floats:
    """The remainder u − log(1+u) ≥ 0, for u ≥ −1.

    Bound: 4. Near 0 the two terms cancel, so there it is the series of 2 artanh(u/(2+u)) with u taken out
    (the form of R's log1pmx); elsewhere the difference itself, which keeps at least a third of its larger term.
    """
    near = nearly_equal(u)
    inner = np.where(near, u, 0)
    ratio = inner / (2 + inner)
    square = ratio * ratio
    series = np.zeros_like(square)
    for odd in range(43, 1, -2):
        series = (series + 2.0 / odd) * square
    return np.where(near, ratio * (inner - series), u - np.log1p(u))


def nearly_equal(relative: Floats) -> Mask:
    """Where b = a (1 + relative) is so near to a that log(b/a) and b/a − 1 cancel; there |u/(2+u)| is at most 3/7."""
    return (relative > -0.6) & (relative < 1.5)  # noqa: PLR2004  of the same ratio


def exp_minus(h: Floats) -> Floats:
    """e^h − 1 − h ≥ 0.

    Bound: 8. Near 0 the three terms cancel, so there it is its own series; elsewhere expm1(h) − h.
    """
    near = np.abs(h) < 0.7  # noqa: PLR2004  beyond, the difference keeps at least 1/5 of its larger term
    inner = np.where(near, h, 0)
    series = np.ones_like(inner)
    for order in range(17, 2, -1):
        series = 1 + series * inner / order
    return np.where(near, series * inner * inner / 2, np.expm1(h) - h)


def sums_by(places: Indices, terms: Vector | None, size: int) -> Vector:
    """Σ of the terms (1 each if there are none) that have the same place in 0 … size − 1; ``Float64[size]``."""
    return np.bincount(places, terms, size).astype(np.float64, copy=False)


def finite_product(weight: Floats, value: Floats) -> Floats:
    """``weight`` · ``value``, where a weight of 0 silences even an infinite or undefined value."""
    return np.where(weight == 0, 0, weight * value)


def product_rounded_off(left: Floats, right: float, product: Floats) -> Floats:
    """What rounding took from ``product = left · right``: exactly, in float64 (Dekker's two-product)."""
    left_high, right_high = _upper_half(left), _upper_half(np.float64(right))
    left_low, right_low = left - left_high, right - right_high
    return (
        (left_high * right_high - product) + left_high * right_low + left_low * right_high
    ) + left_low * right_low


def _upper_half(value: Floats | np.float64) -> Floats:
    """The upper 26 bits of a float64 (Veltkamp's splitting)."""
    scaled = value * 134217729.0
    return np.asarray(scaled - (scaled - value))
