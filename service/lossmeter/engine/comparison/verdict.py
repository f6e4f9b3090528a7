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


def judged_infinite(counts: tuple[int, int], p_value: float | None, finite: Verdict, level: float) -> Verdict:
    """The verdict where some losses are infinite, so that means have no difference.

    Two questions are asked, each at half of what ``level`` leaves: whether infinite losses have become more frequent,
    and whether the finite ones are worse. One of them suffices for ``worse``; nothing does for ``ok``.

    Args:
        counts: rows with an infinite loss, of the reference and now.
        p_value: of "no more frequent now", one-sided; None where rows are not independent.
        finite: the verdict on the finite losses.
        level: of the intervals.
    """
    said = f"{counts[0]} losses of the reference and {counts[1]} now are infinite"
    if p_value is not None and p_value < (1 - level) / 4:
        return Verdict("worse", f"{said}: more frequent than chance makes them, p = {p_value:.2g}")
    if finite.word == "worse":
        return Verdict("worse", f"{said}; of the finite ones, {finite.reason}")
    return Verdict(
        "inconclusive", f"{said}: their means have no difference, and the finite ones are not surely worse"
    )


def _growth(inference: Inference, threshold: float, level: float) -> float | None:
    """The error falls with the root of the rows; with 80 % power it must be so many times below the distance."""
    distance = abs(nearest(inference.value) - threshold)
    wanted = quantile((1 + level) / 2, inference.freedom) + NormalDist().inv_cdf(POWER)
    growth = (wanted * nearest(inference.error) / distance) ** 2 if distance else math.inf
    return max(growth, 1.0) if math.isfinite(growth) else None
