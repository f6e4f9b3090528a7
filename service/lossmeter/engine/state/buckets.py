"""Quantiles of losses: DDSketch's buckets, whose bounds are fixed, so that sketches add up exactly.

A loss x lies in the bucket ceil(log_γ x), γ = (1+α)/(1−α), and every x of a bucket is within α of its middle. The
logarithm is interpolated by a cubic between powers of two, which costs 1 % more buckets and is made of additions and
multiplications alone: the same bucket on every machine.

Source: Masson, Rim, Lee, "DDSketch", PVLDB 12 (2019); the cubic is that of its reference implementation in Python,
ddsketch.mapping.CubicallyInterpolatedMapping, with whose keys these are tested to agree.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Vector

ACCURACY = 0.01
"""α: the relative error of a quantile."""

CHUNK = 1 << 13
"""So many losses are looked at while they are in the cache."""

OF_ZERO = 0
"""The key of losses of exactly 0."""

OFFSET = 40_000
"""Added to DDSketch's keys, so that all are above that of 0."""

KEYS = 2 * OFFSET
"""There is no key from here on."""

_CUBIC = (6 / 35, -3 / 5, 10 / 7)
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_PER_OCTAVE = 1 / math.log1p(2 * ACCURACY / (1 - ACCURACY)) / _CUBIC[2]


def bucket_keys(losses: Vector) -> Indices:
    """The bucket of each loss, ``Int[n]``; losses are finite and ≥ 0."""
    keys = np.empty(len(losses), np.intp)
    for start in range(0, len(losses), CHUNK):
        rows = slice(start, start + CHUNK)
        keys[rows] = _keys(losses[rows])
    return keys


def _keys(losses: Vector) -> Indices:
    mantissa, exponent = np.frexp(losses)
    position = 2 * mantissa - 1
    first, second, third = _CUBIC
    octaves = ((first * position + second) * position + third) * position + (exponent - 1)
    keys = np.ceil(octaves * _PER_OCTAVE).astype(np.intp) + OFFSET
    return np.where(losses > 0, keys, OF_ZERO)


def bucket_values(keys: Indices) -> Vector:
    """What stands for each bucket, within ``ACCURACY`` of all its losses; ``Float64[buckets]``."""
    upper = np.array([_power(float(key)) for key in (keys - OFFSET) / _PER_OCTAVE])
    return np.where(keys == OF_ZERO, 0, upper * (2 / (1 + _GAMMA)))


def _power(octaves: float) -> float:
    """2^octaves, as the cubic has it; Cardano's formula gives the position between two powers."""
    first, second, third = _CUBIC
    whole = math.floor(octaves)
    reduced = second * second - 3 * first * third
    rest = 2 * second**3 - 9 * first * second * third - 27 * first * first * (octaves - whole)
    root = math.cbrt((rest - math.sqrt(rest * rest - 4 * reduced**3)) / 2)
    position = -(second + root + reduced / root) / (3 * first)
    return math.ldexp(1 + position, whole) if whole < 1024 else math.inf  # noqa: PLR2004  above the range of a double
