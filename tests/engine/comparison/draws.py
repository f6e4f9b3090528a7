"""Lopsided losses with a known mean, and how often intervals of them hold it.

Ten thousand samples at a time: what the engine does with one sample in fractions is done here with all of them in
arrays. That both are the same is a test of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import stats

from lossmeter.engine.comparison.inference import LEAST_UNITS, MOST_SKEWNESS, WIDENING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

Array: TypeAlias = Any
"""``Float[samples]``, or ``Float[samples, units]``."""

if TYPE_CHECKING:
    Losses = Callable[[Generator, tuple[int, int]], Array]
    Draw = Callable[[Generator, tuple[int, int]], tuple[Array, Array]]
    """A generator and (samples, units) → weights and weighted losses of the units."""

LEVEL = 0.95

AT_A_TIME = 4_000_000
"""Numbers that are drawn at once."""


def _plain(losses: Losses) -> Draw:
    return lambda rng, shape: (np.ones(shape), losses(rng, shape))


def _classifier(rng: Generator, shape: tuple[int, int]) -> Array:
    """Cross-entropy of three classes by a softmax classifier that is wrong about one row in ten."""
    right, first, second = rng.normal(0, 1, (3, *shape))
    return np.log1p(np.exp(first - right - 2.3) + np.exp(second - right - 2.3))


def _weighted(rng: Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Unequal weights, and losses that grow with them."""
    weights = rng.gamma(4, 0.25, shape)
    return weights, weights * (0.5 + weights / 2) * rng.standard_exponential(shape)


def _clusters(rng: Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Clusters of one row or more, which share how hard they are."""
    rows = 1.0 + rng.poisson(3, shape)
    return rows, rng.gamma(rows) * rng.gamma(3, 1 / 3, shape)


def _rarely_wrong(rng: Generator, shape: tuple[int, int]) -> Array:
    """Hardly any loss, but for one row in a hundred."""
    return np.where(rng.random(shape) < 0.01, rng.gamma(2, 1, shape), rng.exponential(0.02, shape))


KINDS: dict[str, tuple[Draw, float]] = {
    "exponential": (_plain(lambda rng, shape: rng.standard_exponential(shape)), 1.0),
    "gamma, shape 0.5": (_plain(lambda rng, shape: rng.gamma(0.5, 2, shape)), 1.0),
    "log-normal, sigma 1": (_plain(lambda rng, shape: rng.lognormal(-0.5, 1, shape)), 1.0),
    "cross-entropy of a classifier": (_plain(_classifier), math.nan),
    "weighted": (_weighted, 0.5 + 1.25 / 2),
    "clustered": (_clusters, 1.0),
}
"""Where the closed form holds: name → (draw, true mean). A mean of NaN is found by drawing a few million."""

HARD: dict[str, tuple[Draw, float]] = {
    "gamma, shape 0.2": (_plain(lambda rng, shape: rng.gamma(0.2, 5, shape)), 1.0),
    "log-normal, sigma 1.5": (_plain(lambda rng, shape: rng.lognormal(-1.125, 1.5, shape)), 1.0),
    "log-normal, sigma 2": (_plain(lambda rng, shape: rng.lognormal(-2, 2, shape)), 1.0),
    "one row in 100 wrong": (_plain(_rarely_wrong), 0.01 * 2 + 0.99 * 0.02),
}
"""Where it fails at first, and says so."""


def true_mean(kind: str) -> float:
    """The mean loss that intervals are to hold."""
    draw, mean = {**KINDS, **HARD}[kind]
    if not math.isnan(mean):
        return mean
    rng = np.random.default_rng(99)
    return float(np.mean([np.mean(draw(rng, (1, 1_000_000))[1]) for _ in range(30)]))


@dataclass(frozen=True)
class Estimates:
    """``Estimate`` of many samples, ``Float[samples]`` each."""

    units: int
    mean: Array
    variance: Array
    third: Array
    lean: Array
    effective: Array


def estimates(weights: Array, values: Array) -> Estimates:
    """From units, ``Float[samples, units]`` each."""
    n, whole = weights.shape[1], weights.sum(axis=1)
    mean = values.sum(axis=1) / whole
    u = values - mean[:, None] * weights
    squares = (weights**2).sum(axis=1)
    return Estimates(
        n,
        mean,
        n / (n - 1) * (u * u).sum(axis=1) / whole**2,
        (u * u * u).sum(axis=1) / whole**3,
        (u * weights).sum(axis=1) / whole**2,
        squares**3 / (weights**3).sum(axis=1) ** 2,
    )


@dataclass(frozen=True)
class Inferences:
    """``Inference`` of many samples, ``Float[samples]`` each."""

    value: Array
    error: Array
    freedom: Array
    first: Array
    third: Array
    skewness: Array

    @property
    def unsure(self) -> Array:
        """Which come with a caution."""
        return (self.freedom + 1 < LEAST_UNITS) | (self.skewness > MOST_SKEWNESS)

    def interval(self, level: float) -> tuple[Array, Array]:
        """Low and high ends."""
        reach = stats.t.ppf((1 + level) / 2, self.freedom) * (1 + WIDENING * self.skewness**2)
        c, d = -self.third / 6, self.third / 6 - self.first

        def back(z: Array) -> Array:
            cube = np.cbrt(1 + 3 * c * (z - d))
            return 3 * (z - d) / (cube * cube + cube + 1)

        return self.value - back(reach) * self.error, self.value - back(-reach) * self.error

    def student(self, level: float) -> tuple[Array, Array]:
        """The same without any correction."""
        reach = stats.t.ppf((1 + level) / 2, self.freedom) * self.error
        return self.value - reach, self.value + reach


def inferences(one: Estimates, other: Estimates | None = None) -> Inferences:
    """About the mean of ``one``, or about ``one`` − ``other``."""
    variance = one.variance if other is None else one.variance + other.variance
    value = one.mean if other is None else one.mean - other.mean
    error = np.sqrt(variance)
    first, third = _numerators(one, error)
    if other is None:
        return Inferences(value, error, one.effective - 1, first, third, abs(third) / 2)
    first_other, third_other = _numerators(other, error)
    small, large = np.minimum(abs(third), abs(third_other)), np.maximum(abs(third), abs(third_other))
    belief = np.where(third * third_other > 0, 1 - small / large, 1)
    parts = [(each.variance / variance) ** 2 / (each.effective - 1) for each in (one, other)]
    return Inferences(
        value,
        error,
        1 / (parts[0] + parts[1]),
        belief * (first - first_other),
        belief * (third - third_other),
        (abs(third) + abs(third_other)) / 2,
    )


def pooled(one: Estimates, other: Estimates) -> Inferences:
    """About ``one`` − ``other``, if units of both err alike."""
    pair, n = (one, other), one.units + other.units
    variance = (one.variance * one.units**2 + other.variance * other.units**2) / n
    third = (one.third * one.units**3 + other.third * other.units**3) / n
    lean = (one.lean * one.units**2 + other.lean * other.units**2) / n
    effective = (one.effective + other.effective) / n
    first, second = (
        Estimates(m, each.mean, variance / m, third / m**2, lean / m, effective * m)
        for each, m in zip(pair, (one.units, other.units), strict=True)
    )
    return inferences(first, second)


def _numerators(each: Estimates, error: Array) -> tuple[Array, Array]:
    both = each.variance * each.lean
    first = -each.lean / error - (each.third - 4 * both) / (2 * error**3)
    return first, (6 * both - 2 * each.third) / error**3


@dataclass(frozen=True)
class Coverage:
    """Of many intervals, the shares of all.

    Attributes:
        student: of Student's, without any correction, those that hold the truth.
        inside: of those in use, those that hold the truth.
        above: those that lie above it: false alarms.
        below: those that lie below it.
        unsure: those that come with a caution, so that no verdict is given.
        alarms: those on which the verdict is ``worse``.
    """

    student: float
    inside: float
    above: float
    below: float
    unsure: float
    alarms: float


def coverage(found: Iterator[tuple[Inferences, ...]], truth: float) -> Coverage:
    """How the intervals lie about the truth; where there are two of each, a verdict needs both."""
    counts, samples = np.zeros(6), 0
    for views in found:
        (low, high), plain = views[0].interval(LEVEL), views[0].student(LEVEL)
        unsure = views[0].unsure
        alarm = np.all([each.interval(LEVEL)[0] > truth for each in views], axis=0)
        masks = [(plain[0] <= truth) & (truth <= plain[1]), (low <= truth) & (truth <= high)]
        masks += [low > truth, high < truth, unsure, alarm & ~unsure]
        counts += [np.count_nonzero(mask) for mask in masks]
        samples += len(low)
    return Coverage(*(counts / samples).tolist())


def means(kind: str, n: int, draws: int, seed: int = 0) -> Iterator[tuple[Inferences]]:
    """Inferences about the mean of samples of n units."""
    draw, rng = {**KINDS, **HARD}[kind][0], np.random.default_rng([seed, n])
    for some in _portions(draws, n):
        yield (inferences(estimates(*draw(rng, (some, n)))),)


def differences(
    kind: str, sizes: tuple[int, int], draws: int, seed: int = 1
) -> Iterator[tuple[Inferences, Inferences]]:
    """Inferences about the difference of two samples of the same kind, of (reference, current) sizes, and pooled."""
    draw, rng = {**KINDS, **HARD}[kind][0], np.random.default_rng([seed, *sizes])
    for some in _portions(draws, max(sizes)):
        reference, current = (estimates(*draw(rng, (some, size))) for size in sizes)
        yield inferences(current, reference), pooled(current, reference)


def _portions(draws: int, n: int) -> Iterator[int]:
    """How many samples are drawn at a time."""
    step = max(1, AT_A_TIME // n)
    return (min(step, draws - start) for start in range(0, draws, step))
