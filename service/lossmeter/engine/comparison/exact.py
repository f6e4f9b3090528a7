"""Exact numbers on their way to doubles: roots and quotients of fractions that a double could not hold."""

from __future__ import annotations

import math
from fractions import Fraction

QUOTIENT_BITS = 256

ROOT_BITS = 128
"""A root is right to at least half as many bits, 11 more than a double holds."""


def nearest(value: Fraction) -> float:
    """The double nearest to ``value``, infinite beyond the range, never −0.0."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return math.copysign(math.inf, value)


def quotient(value: Fraction, by: Fraction) -> Fraction:
    """The quotient by a number > 0, to 256 bits: its denominator is a power of two, so sums of many stay short."""
    above, below = value.numerator * by.denominator, value.denominator * by.numerator
    shift = QUOTIENT_BITS - above.bit_length() + below.bit_length()
    if shift <= 0:
        return value / by
    whole = (above << shift) // below
    over = whole >> QUOTIENT_BITS  # one bit too many, so that equal quotients are the same number
    return Fraction(whole >> over, 1 << shift - over)


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
