"""The slices of two windows, ranked by what they add to the change of the mean loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lossmeter.engine.comparison.exact import nearest
from lossmeter.engine.comparison.inference import of_difference, of_pooled_difference
from lossmeter.engine.comparison.window import Window, window_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lossmeter.engine.comparison.inference import Inference
    from lossmeter.engine.comparison.split import Parts
    from lossmeter.engine.state import Slice, State

MOST_SLICES = 100
"""So many are told, and tested; their p-values are adjusted for all that there are."""


@dataclass(frozen=True, slots=True)
class SliceChange:
    """A slice in both windows; the parts are its share of the change of the whole mean.

    Attributes:
        dimension: which.
        value: the slice's value in it.
        reference: what it was.
        current: what it is.
        difference: of the mean losses of the slice.
        interval: of ``difference``, for this slice alone.
        p_value: of no difference, for this slice alone; the larger of two, as a verdict needs both.
        adjusted_p_value: the same, with regard to how many slices were looked at (Holm): below 0.05 in one of twenty
            comparisons in which no slice has changed.
        contribution: what it adds to the change of the mean; the sum of the next three.
        mix: because it has more, or fewer, of the rows.
        label_shift: because its true classes are others.
        within: because the same class in it costs more, or less.
        caution: why interval and p-values are not to be relied upon.
    """

    dimension: str
    value: str
    reference: Window | None
    current: Window | None
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    adjusted_p_value: float | None
    contribution: float
    mix: float
    label_shift: float
    within: float
    caution: str | None


def culprits(
    parts: Mapping[str, Mapping[str, Parts]],
    reference: State,
    current: State,
    level: float,
) -> list[SliceChange]:
    """The slices of every dimension in ``parts``, that which adds most to the loss first, at most ``MOST_SLICES``."""
    named = [
        ((dimension, value), each)
        for dimension, of_values in parts.items()
        for value, each in of_values.items()
    ]
    named.sort(key=lambda each: (-each[1].total, each[0]))
    changes = [
        _change(name, each, reference.slice(*name), current.slice(*name), level)
        for name, each in named[:MOST_SLICES]
    ]
    sure = [place for place, each in enumerate(changes) if each.caution is None]
    adjusted = holm([changes[place].p_value or 0.0 for place in sure], len(named))
    for place, p_value in zip(sure, adjusted, strict=True):
        changes[place] = replace(changes[place], adjusted_p_value=p_value)
    return changes


def holm(p_values: Sequence[float], hypotheses: int) -> list[float]:
    """P-values that may be held against one level, however many ``hypotheses`` there were; in the order given.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6 (1979).
    """
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (hypotheses - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _change(
    name: tuple[str, str], parts: Parts, before: Slice | None, after: Slice | None, level: float
) -> SliceChange:
    reference, first = (None, None) if before is None else window_of(before.moments, before.count, level)
    current, second = (None, None) if after is None else window_of(after.moments, after.count, level)
    inference = pooled = None
    if first is not None and second is not None:
        inference, pooled = of_difference(first, second), of_pooled_difference(first, second)
    return SliceChange(
        dimension=name[0],
        value=name[1],
        reference=reference,
        current=current,
        difference=None if inference is None else nearest(inference.value),
        interval=None if inference is None else inference.interval(level),
        p_value=_larger(inference, pooled),
        adjusted_p_value=None,
        contribution=nearest(parts.total),
        mix=nearest(parts.mix),
        label_shift=nearest(parts.label_shift),
        within=nearest(parts.within),
        caution="it is in one window alone" if inference is None else inference.caution,
    )


def _larger(inference: Inference | None, pooled: Inference | None) -> float | None:
    found = [each.p_value() for each in (inference, pooled) if each is not None]
    return max((each for each in found if each is not None), default=None)
