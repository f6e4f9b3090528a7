"""Lopsided losses with a known mean, and how often intervals of them hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.comparison.estimate import Estimate, from_units
from lossmeter.engine.comparison.inference import Inference, of_difference, of_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

    from lossmeter.engine.arrays import Vector

    Draw = Callable[[Generator, int], tuple[Vector, Vector]]
    """A generator and n → weights and weighted losses of n units."""

LEVEL = 0.95


def _plain(
    losses: Callable[[Generator, int], Vector],
) -> Draw:
    return lambda rng, n: (np.ones(n), losses(rng, n))


def _classifier(rng: Generator, n: int) -> Vector:
    """Cross-entropy of a three-class softmax classifier that is sure of itself and wrong about one row in ten."""
    logits = rng.normal(0, 1, (n, 3))
    logits[:, 0] += 3.5
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    losses: Vector = np.log(np.sum(np.exp(shifted), axis=1)) - shifted[:, 0]
    return losses


def _weighted(rng: Generator, n: int) -> tuple[Vector, Vector]:
    """Unequal weights, and losses that grow with them."""
    weights = rng.gamma(4, 0.25, n)
    return weights, weights * (0.5 + weights / 2) * rng.standard_exponential(n)


def _clusters(rng: Generator, n: int) -> tuple[Vector, Vector]:
    """Clusters of one row or more, which share how hard they are."""
    rows = 1.0 + rng.poisson(3, n)
    return rows, rng.gamma(rows) * rng.gamma(3, 1 / 3, n)


def _rarely_wrong(rng: Generator, n: int) -> Vector:
    """Hardly any loss, but for one row in a hundred."""
    return np.where(rng.random(n) < 0.01, rng.gamma(2, 1, n), rng.exponential(0.02, n))


KINDS: dict[str, tuple[Draw, float]] = {
    "exponential": (_plain(lambda rng, n: rng.standard_exponential(n)), 1.0),
    "gamma, shape 0.5": (_plain(lambda rng, n: rng.gamma(0.5, 2, n)), 1.0),
    "log-normal, sigma 1": (_plain(lambda rng, n: rng.lognormal(-0.5, 1, n)), 1.0),
    "cross-entropy of a classifier": (_plain(_classifier), float("nan")),
    "weighted": (_weighted, (0.5 + 1.25 / 2)),
    "clustered": (_clusters, 1.0),
}
"""Where the closed form holds: name → (draw, true mean). A mean of NaN is found by drawing a few million."""

HARD: dict[str, tuple[Draw, float]] = {
    "gamma, shape 0.2": (_plain(lambda rng, n: rng.gamma(0.2, 5, n)), 1.0),
    "log-normal, sigma 1.5": (_plain(lambda rng, n: rng.lognormal(-1.125, 1.5, n)), 1.0),
    "log-normal, sigma 2": (_plain(lambda rng, n: rng.lognormal(-2, 2, n)), 1.0),
    "one row in 100 wrong": (_plain(_rarely_wrong), 0.01 * 2 + 0.99 * 0.02),
}
"""Where it fails at first, and says so."""


def true_mean(kind: str) -> float:
    """The mean loss that intervals are to hold."""
    draw, mean = {**KINDS, **HARD}[kind]
    if not np.isnan(mean):
        return mean
    rng = np.random.default_rng(99)
    return float(np.mean([np.mean(draw(rng, 500_000)[1]) for _ in range(16)]))


@dataclass(frozen=True)
class Coverage:
    """Of many intervals.

    Attributes:
        inside: the share that holds the truth.
        above: the share that lies above it: false alarms.
        below: the share that lies below it.
        unsure: the share that came with a caution.
        alarms: the share that lies above it without a caution: what a verdict would say.
        student: the share of Student's intervals, without any correction, that holds the truth.
    """

    inside: float
    above: float
    below: float
    unsure: float
    alarms: float
    student: float


def coverage(inferences: Iterator[Inference], truth: float) -> Coverage:
    """How the intervals of many inferences lie about the truth."""
    counts = np.zeros(6)
    total = 0
    for each in inferences:
        total += 1
        low, high = each.interval(LEVEL) or (truth, truth)
        unsure = each.caution is not None
        plain = replace(each, first=0.0, third=0.0, skewness=0.0).interval(LEVEL) or (truth, truth)
        alarm, student = low > truth and not unsure, plain[0] <= truth <= plain[1]
        counts += (low <= truth <= high, low > truth, high < truth, unsure, alarm, student)
    return Coverage(*(counts / total))


def means(kind: str, n: int, draws: int, seed: int = 0) -> Iterator[Inference]:
    """Inferences about the mean of samples of n units."""
    draw, rng = {**KINDS, **HARD}[kind][0], np.random.default_rng([seed, n])
    for _ in range(draws):
        yield of_mean(_estimate(draw, rng, n))


def differences(kind: str, sizes: tuple[int, int], draws: int, seed: int = 1) -> Iterator[Inference]:
    """Inferences about the difference of two samples of the same kind, of (reference, current) sizes."""
    draw, rng = {**KINDS, **HARD}[kind][0], np.random.default_rng([seed, *sizes])
    for _ in range(draws):
        yield of_difference(_estimate(draw, rng, sizes[0]), _estimate(draw, rng, sizes[1]))


def _estimate(draw: Draw, rng: Generator, n: int) -> Estimate:
    found = from_units(*draw(rng, n))
    assert found is not None
    return found
