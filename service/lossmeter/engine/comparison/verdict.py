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

MOST_GROWTH = 1e9
"""More rows than that nobody waits for; no number is told."""

POWER = 0.8
"""How often the number of rows that is told will do, if the difference is what it seems."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison says.

    Attributes:
        word: ``worse`` where the whole interval of the difference lies above the threshold, ``ok`` where it lies at or
            below it, else ``inconclusive``. Where nothing has changed and the threshold is 0, ``worse`` is said in
            (1 − level)/2 of all cases, or in fewer.
        reason: why, in one sentence.
        growth: how many times as many rows, in both windows, would settle it in four cases of five; None where it is
            settled, or where no number would.
    """

    word: Word
    reason: str
    growth: float | None = None


def judged(
    inference: Inference | None, threshold: float, level: float, pooled: Inference | None = None
) -> Verdict:
    """The verdict on a difference of finite means.

    Args:
        inference: the difference; None where there is none.
        threshold: of it.
        level: of its interval.
        pooled: of independent samples the difference as it is if units of both err alike, which must say the same:
            a small window may not have met the rare rows that carry the loss.
    """
    if inference is None:
        return Verdict("inconclusive", "a window has no row of any weight and finite loss")
    if inference.caution is not None:
        return Verdict("inconclusive", inference.caution)
    views = [inference] if pooled is None else [inference, pooled]
    words = {_word(view, threshold, level) for view in views}
    word = words.pop() if len(words) == 1 else "inconclusive"
    interval = f"the {100 * level:g} % interval of the difference"
    if word == "worse":
        return Verdict(word, f"{interval} lies above {threshold:g}")
    if word == "ok":
        return Verdict(word, f"{interval} lies at or below {threshold:g}")
    pooling = ", if rows of both windows err alike," if words else ""
    reason = f"{interval}{pooling} holds {threshold:g}: more rows are wanted"
    growths = [_growth(view, threshold, level) for view in views]
    return Verdict(word, reason, None if None in growths else max(filter(None, growths)))


def _word(view: Inference, threshold: float, level: float) -> Word:
    """On which side of the threshold the interval lies."""
    low, high = view.interval(level) or (threshold, math.inf)
    if low > threshold:
        return "worse"
    return "ok" if high <= threshold else "inconclusive"


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
    return max(growth, 1.0) if growth < MOST_GROWTH else None
