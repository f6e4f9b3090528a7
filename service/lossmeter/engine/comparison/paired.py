"""Two models on the same rows: their losses are compared row by row, which takes out how hard the rows are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Indices, Mask, Vector, floats, offenders
from lossmeter.engine.comparison.compare import checked
from lossmeter.engine.comparison.counts import sign_test
from lossmeter.engine.comparison.estimate import from_units
from lossmeter.engine.comparison.exact import nearest
from lossmeter.engine.comparison.inference import Inference, of_mean
from lossmeter.engine.comparison.verdict import Word, judged, judged_infinite
from lossmeter.engine.observation.slicing import clusters
from lossmeter.engine.summation import total
from lossmeter.engine.weights import sample_weights as checked_weights
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """How a model differs from a reference on the same rows; None is what could not be told.

    Attributes:
        count: rows.
        weight: Σ w of the rows on which both losses are finite.
        units: those rows, or the clusters they are in: what the error is reckoned from.
        reference_loss: the reference's weighted mean loss; infinite if any loss is.
        current_loss: the same of the current model.
        difference: current − reference, over the rows on which both are finite.
        standard_error: of ``difference``.
        interval: low and high of ``difference``, corrected for skewness.
        p_value: of no difference, two-sided.
        worse_share: the share of the weight on which the current model costs more.
        better_share: the share of the weight on which it costs less.
        level: of the interval.
        threshold: of ``difference``; above it is worse.
        verdict: ``ok``, ``worse`` or ``inconclusive``.
        reason: why, in one sentence.
        rows_needed: rows that would settle an inconclusive verdict in four cases of five, if the difference is what it
            seems.
        reference_infinite: rows on which the reference's loss is infinite.
        current_infinite: rows on which the current model's is.
        infinite_p_value: of "infinite losses are no more frequent now" (sign test), where there are any and
            rows are no clusters.
    """

    count: int
    weight: float
    units: int
    reference_loss: float | None
    current_loss: float | None
    difference: float | None
    standard_error: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    worse_share: float | None
    better_share: float | None
    level: float
    threshold: float
    verdict: Word
    reason: str
    rows_needed: int | None
    reference_infinite: int
    current_infinite: int
    infinite_p_value: float | None


def compare_paired(  # noqa: PLR0913  the contract's fields
    *,
    reference_losses: ArrayLike,
    current_losses: ArrayLike,
    sample_weights: ArrayLike | None = None,
    cluster: Sequence[Hashable] | None = None,
    threshold: float = 0.0,
    level: float = 0.95,
) -> PairedComparison:
    """Is the current model worse than the reference on these rows?

    Args:
        reference_losses: ``Float[n]``, unweighted; infinite ones are counted apart.
        current_losses: ``Float[n]``, of the same rows in the same order.
        sample_weights: ``Float[n]`` ≥ 0, what a row weighs.
        cluster: for each row, which rows belong together.
        threshold: how much worse is too much, in the unit of the losses.
        level: of the interval, from 0.5 to below 1.

    Raises:
        InvalidInputError: lengths that differ, what is no loss or weight, or options out of range.
    """
    threshold, level = checked(threshold, level)
    before, after = _losses(reference_losses, "reference_losses"), _losses(current_losses, "current_losses")
    if len(before) != len(after):
        detail = (
            f"one loss per row is wanted: {len(before)} of them, as in reference_losses, not {len(after)}"
        )
        raise InvalidInputError.at("current_losses", detail=detail)
    given = checked_weights(sample_weights, len(before), np.dtype(np.float64))
    weights = np.ones(len(before)) if given is None else given
    units = clusters(cluster, len(before), None)
    return _compared(_Pair(before, after, weights, units), threshold, level)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Losses of both models, ``Float[n]`` each, the weights of the rows and their clusters."""

    before: Vector
    after: Vector
    weights: Vector
    units: Indices | None

    @property
    def finite(self) -> Mask:
        """Rows on which both losses are."""
        return np.isfinite(self.before) & np.isfinite(self.after)

    def infinite(self) -> tuple[int, int, int, int]:
        """Rows of positive weight with infinite losses: of the reference, now, and those of one of them alone."""
        one, other = np.isinf(self.before) & (self.weights > 0), np.isinf(self.after) & (self.weights > 0)
        masks = (one, other, one & ~other, other & ~one)
        before, after, left, arisen = (int(np.count_nonzero(mask)) for mask in masks)
        return before, after, left, arisen

    def inference(self) -> Inference | None:
        """About the mean difference of the rows on which both are finite."""
        finite = self.finite
        weights = self.weights[finite]
        differences = weights * (self.after[finite] - self.before[finite])
        if self.units is not None:
            of_rows, size = self.units[finite], int(np.max(self.units)) + 1
            weights = np.bincount(of_rows, weights, size).astype(np.float64, copy=False)
            differences = np.bincount(of_rows, differences, size).astype(np.float64, copy=False)
        found = from_units(weights, differences)
        return None if found is None else of_mean(found)

    def count_units(self) -> int:
        """Rows of positive weight on which both are finite, or their clusters."""
        counted = self.finite & (self.weights > 0)
        return int(np.count_nonzero(counted) if self.units is None else len(np.unique(self.units[counted])))


def _compared(pair: _Pair, threshold: float, level: float) -> PairedComparison:
    inference, finite = pair.inference(), pair.finite
    weight = total(pair.weights[finite]) if finite.any() else 0.0
    before, after, left, arisen = pair.infinite()
    verdict, p_infinite = judged(inference, threshold, level), None
    if before or after:
        p_infinite = sign_test(arisen, left) if pair.units is None else None
        finite_verdict = judged(inference, threshold, (1 + level) / 2)
        verdict = judged_infinite((before, after), p_infinite, finite_verdict, level)
    rose, fell = (
        total(np.where(finite & mask, pair.weights, 0)) / weight if weight else None
        for mask in (pair.after > pair.before, pair.after < pair.before)
    )
    return PairedComparison(
        count=len(pair.before),
        weight=weight,
        units=pair.count_units(),
        reference_loss=_mean(pair.weights, pair.before),
        current_loss=_mean(pair.weights, pair.after),
        difference=None if inference is None else nearest(inference.value),
        standard_error=None if inference is None else inference.standard_error,
        interval=None if inference is None else inference.interval(level),
        p_value=None if inference is None else inference.p_value(),
        worse_share=rose,
        better_share=fell,
        level=level,
        threshold=threshold,
        verdict=verdict.word,
        reason=verdict.reason,
        rows_needed=None if verdict.growth is None else math.ceil(verdict.growth * len(pair.before)),
        reference_infinite=before,
        current_infinite=after,
        infinite_p_value=p_infinite,
    )


def _losses(sent: ArrayLike, name: str) -> Vector:
    losses = floats(sent, name, ranks=(1,)).astype(np.float64)
    wrong = ~(losses > -np.inf)
    if wrong.any():
        raise offenders(wrong, losses, name, detail="a number or Infinity is wanted")
    return losses


def _mean(weights: Vector, losses: Vector) -> float | None:
    """Σ w · loss / Σ w; infinite if a loss of positive weight is."""
    kept = weights > 0
    if not kept.any():
        return None
    mean = np.add.reduce(weights[kept] / total(weights) * losses[kept])
    return float(mean) + 0.0
