r"""The temperature with the least log loss.

With β = 1/T and the gaps g_c = max x − x_c ≥ 0 of a row, the weighted log loss is convex in β, with the slope

    D − M(β),   D = Σ_i Σ_c s_ic g_ic,   M(β) = Σ_i w_i E_β[g_i],

where s are the shares of the truth and E_β is the mean under softmax(βx). No term of either sum is negative. M falls
from the mean gap of all classes at β = 0 to 0, so a finite optimum solves M(β) = D and exists if and only if
0 < D < M(0). In log M, nearly linear where few rows are wrong, Newton's steps rarely leave their bracket.

Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.numerics import exp_minus, finite_product, row_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.calibration.sample import Sample

PRECISION = 1e-12
"""The relative step at which Newton's method has arrived; the one before it was 1e-6 or so."""

CHANCE = 1e-13
"""What rounding leaves between D and M(0) where the logits say nothing."""

MOST_STEPS = 200


class NoOptimumError(Exception):
    """No temperature has the least log loss; the message says why."""


class NoSignalError(NoOptimumError):
    """The log loss falls as the temperature grows: all logits together say less than nothing."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The temperature with the least log loss.

    Attributes:
        temperature: T.
        iterations: Newton steps.
        miscalibration: the mean log loss that it removes, as the mean KL of the probabilities as sent from those it
            makes, to which the difference of the losses is equal at the optimum; it is never negative.
    """

    temperature: float
    iterations: int
    miscalibration: float


def fit(sample: Sample) -> Fit:
    """The temperature, to a relative 1e-10 where the log loss is not flat to the last digits.

    Raises:
        NoOptimumError: the log loss falls, or is infinite, all the way to 0 or to infinity.
    """
    weight, pull, chance = (math.fsum(each) for each in zip(*sample.over_blocks(_ends(sample)), strict=True))
    if not weight:
        raise NoOptimumError("no row has any weight")
    if not math.isfinite(pull):
        raise NoOptimumError(
            "a truth has probability 0, and so it has at every temperature: the log loss is infinite"
        )
    if not chance:
        return Fit(1.0, 0, 0.0)  # all classes are equal in every row: every temperature does
    if not pull:
        raise NoOptimumError(
            "every truth has the largest logit of its row: the log loss falls all the way to temperature 0"
        )
    if pull >= chance * (1 - CHANCE):
        raise NoSignalError(
            "the truths have no larger logits than other classes: the log loss falls as the temperature grows, "
            "without end"
        )
    scale = chance / weight
    inverse, iterations = _solve(sample, pull / weight / scale, scale)
    temperature = scale / inverse
    if not np.finfo(np.float64).tiny <= temperature < math.inf:
        raise NoOptimumError("the best temperature is beyond the range of a double")
    removed = math.fsum(sample.over_blocks(lambda rows: _removed(sample, rows, 1 / temperature)))
    return Fit(temperature, iterations, max(removed / weight, 0.0))


def _ends(sample: Sample) -> Callable[[Rows], tuple[float, float, float]]:
    def look(rows: Rows) -> tuple[float, float, float]:
        """Σ w, D and M(0) of a block."""
        gaps, weights, shares = sample.gaps(rows), sample.weights(rows), sample.shares(rows)
        pull = row_sums(finite_product(shares, gaps))
        known = np.isfinite(gaps)
        mean = row_sums(np.where(known, gaps, 0)) / np.count_nonzero(known, axis=1)
        return _sum(weights), _sum(pull), _sum(weights * mean)

    return look


def _solve(sample: Sample, target: float, scale: float) -> tuple[float, int]:
    """The b = β · scale with M(b)/(W · scale) = ``target``, and how many steps it took."""
    low, high, b = 0.0, math.inf, min(max(scale, 1 / 16), 64.0)  # T = 1 where that is not far off
    weight = math.fsum(sample.over_blocks(lambda rows: _sum(sample.weights(rows))))
    for step in range(1, MOST_STEPS):
        parts = sample.over_blocks(_gap_and_spread(sample, b, scale))
        mean, spread = (math.fsum(each) / weight for each in zip(*parts, strict=True))
        low, high = (b, high) if mean > target else (low, b)
        newton = b + math.log(mean / target) * mean / spread if mean > 0 and spread > 0 else math.nan
        if abs(newton - b) <= PRECISION * b:
            return newton, step
        following = newton if low < newton < high else _between(low, high)
        if not low < following < high:
            return following, step
        b = following
    return b, MOST_STEPS


def _between(low: float, high: float) -> float:
    """Inside the bracket, by magnitude; ends that nobody has seen are far away."""
    if high == math.inf:
        return max(low * 16, 2.0**-1000)
    return math.sqrt(low) * math.sqrt(high) if low else high / 2**10


def _gap_and_spread(sample: Sample, b: float, scale: float) -> Callable[[Rows], tuple[float, float]]:
    def look(rows: Rows) -> tuple[float, float]:
        """Σ w E[g] and Σ w Var[g] of a block, in units of ``scale``."""
        chances, gaps = _chances(sample.gaps(rows) / scale, b)
        weights, mean = sample.weights(rows), row_sums(chances * gaps)
        away = gaps - mean[:, None]
        return _sum(weights * mean), _sum(weights * row_sums(chances * away * away))

    return look


def _chances(gaps: Matrix, b: float) -> tuple[Matrix, Matrix]:
    """The softmax of −b · gaps, and the gaps with 0 where they are infinite."""
    masses = np.exp(-b * gaps)
    return masses / row_sums(masses)[:, None], np.where(np.isinf(gaps), 0, gaps)


def _removed(sample: Sample, rows: Rows, inverse: float) -> float:
    """Σ w KL(softmax(βx) ‖ softmax(x)) = Σ w log1p(E_β[e^r − 1 − r]), r = (β−1)(g − E_β[g]): nothing cancels."""
    gaps = sample.gaps(rows)
    chances, known = _chances(gaps, inverse)
    mean = row_sums(chances * known)
    tilt = np.where(chances > 0, (inverse - 1) * (known - mean[:, None]), 0)
    near = np.log1p(row_sums(finite_product(chances, exp_minus(tilt))))
    return _sum(sample.weights(rows) * np.where(np.isfinite(near), near, _far(gaps, inverse, mean)))


def _far(gaps: Matrix, inverse: float, mean: Vector) -> Vector:
    """The same where an exponential is beyond the range of a double, and nothing is small."""
    whole, before = row_sums(np.exp(-inverse * gaps)), row_sums(np.exp(-gaps))
    return np.log(before) - np.log(whole) + (1 - inverse) * mean


def _sum(values: Vector) -> float:
    return float(np.add.reduce(values))
