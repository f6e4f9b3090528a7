"""From an interval to a word: ``ok``, ``worse`` or ``inconclusive``, with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias

from lossmeter.engine.comparison.exact import nearest
from lossmeter.engine.comparison.student import quantile

if TYPE_CHECKING:
    from lossmeter.engine.comparison.inference import Inference

Word: TypeAlias = Literal["ok", "worse", "inconclusive"]

POWER = 0.8
"""How often the number of rows that is told will do, if the difference is what it seems."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison says.

    Attributes:
        word: ``worse`` where the whole interval of the difference lies above the threshold, ``ok`` where it lies at or
            below it, else ``inconclusive``. Where nothing has changed and the threshold is 0, ``worse`` is said in
            (1 − level)/2 of all cases.
        reason: why, in one sentence.
        growth: how many times as many rows, in both windows, would settle it in four cases of five; None where it is
            settled, or where no number would.
    """

    word: Word
    reason: str
    growth: float | None = None


def judged(inference: Inference | None, threshold: float, level: float) -> Verdict:
    """The verdict on a difference of finite means."""
    if inference is None:
        return Verdict("inconclusive", "a window has no row of any weight and finite loss")
    interval = inference.interval(level)
    caution = inference.caution
    if caution is not None or interval is None:
        return Verdict("inconclusive", caution or "no interval")
    low, high = interval
    share = f"{100 * level:g} %"
    if low > threshold:
        return Verdict("worse", f"the {share} interval of the difference lies above {threshold:g}")
    if high <= threshold:
        return Verdict("ok", f"the {share} interval of the difference lies at or below {threshold:g}")
    reason = f"the {share} interval of the difference holds {threshold:g}: more rows are wanted"
    return Verdict("inconclusive", reason, _growth(inference, threshold, level))


def _growth(inference: Inference, threshold: float, level: float) -> float | None:
    """The error falls with the root of the rows; with 80 % power it must be so many times below the distance."""
    distance = abs(nearest(inference.value) - threshold)
    wanted = quantile((1 + level) / 2, inference.freedom) + NormalDist().inv_cdf(POWER)
    growth = (wanted * nearest(inference.error) / distance) ** 2 if distance else math.inf
    return max(growth, 1.0) if math.isfinite(growth) else None


def more_infinite(reference: tuple[int, int], current: tuple[int, int]) -> float:
    """One-sided p-value of "infinite losses are no more frequent now": Fisher's exact test.

    Args:
        reference: units with an infinite loss, and all units.
        current: the same.

    The hypergeometric tail, summed from its first term by ratios; its relative error is that of lgamma, 1e-15 n log n.
    """
    (few, n), (many, m) = reference, current
    infinite = few + many
    log_term = _log_choose(m, many) + _log_choose(n, few) - _log_choose(n + m, infinite)
    term = whole = math.exp(log_term)
    for k in range(many, min(infinite, m)):
        term *= (m - k) * (infinite - k) / ((k + 1) * (n - infinite + k + 1))
        whole += term
        if term < whole * 1e-17:
            break
    return min(1.0, whole)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
