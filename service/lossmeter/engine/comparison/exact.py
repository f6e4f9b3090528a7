"""Exact numbers on their way to doubles: roots and quotients of fractions that a double could not hold."""

from __future__ import annotations

import math
from fractions import Fraction

ROOT_BITS = 128
"""A root is right to at least half as many bits, 11 more than a double holds."""


def nearest(value: Fraction) -> float:
    """The double nearest to ``value``, infinite beyond the range, never −0.0."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return math.copysign(math.inf, value)


def root(value: Fraction) -> Fraction:
    """√value for value ≥ 0, with a relative error below 2⁻⁶³, at any magnitude."""
    if value <= 0:
        return Fraction(0)
    size = value.numerator.bit_length() - value.denominator.bit_length()
    shift = (ROOT_BITS - size) // 2
    scaled = (
        value.numerator << 2 * shift if shift >= 0 else value.numerator >> -2 * shift
    ) // value.denominator
    whole = math.isqrt(scaled)
    return Fraction(whole, 1 << shift) if shift >= 0 else Fraction(whole << -shift)
