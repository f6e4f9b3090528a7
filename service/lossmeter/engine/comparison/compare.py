"""The use case: two states become a difference with its error, a verdict, drift, and where the change comes from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.comparison.cells import by_class, by_slice
from lossmeter.engine.comparison.counts import fisher
from lossmeter.engine.comparison.culprits import SliceChange, culprits
from lossmeter.engine.comparison.drift import Drift, drift
from lossmeter.engine.comparison.exact import nearest
from lossmeter.engine.comparison.inference import of_difference, of_pooled_difference
from lossmeter.engine.comparison.split import Parts, Split, split
from lossmeter.engine.comparison.verdict import Verdict, Word, judged, judged_infinite
from lossmeter.engine.comparison.window import Window, window_of
from lossmeter.engine.options import check_range, number
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.comparison.inference import Inference
    from lossmeter.engine.state import State

ALIKE = ("loss", "classes", "truth", "class_weights", "label_smoothing", "epsilon")
"""Options that both states must share, so that their losses are of one kind; a model may have its own temperature."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """How a window differs from a reference; losses in nats, None is what could not be told.

    Attributes:
        reference: its mean loss.
        current: its mean loss.
        difference: current − reference, of the finite losses.
        standard_error: of ``difference``.
        interval: low and high of ``difference``.
        p_value: of no difference, two-sided.
        level: of the intervals.
        threshold: of ``difference``; above it is worse.
        verdict: ``ok``, ``worse`` or ``inconclusive``.
        reason: why, in one sentence.
        rows_needed: rows of the current window that would settle an inconclusive verdict in four cases of five, if the
            difference is what it seems and the reference grows alike.
        infinite_p_value: of "infinite losses are no more frequent now" (Fisher), where there are any and rows are no
            clusters.
        drift: of the mix of ``predicted`` classes, of the mean ``forecast``, and of the ``true`` classes.
        label_shift: the change split by true class: what comes from their mix, and what from their losses.
        split: by dimension, the change split into mix of slices, label shift within them, and the rest.
        slices: those of all dimensions, the one that adds most to the change first.
        undefined: why, for what could not be told.
    """

    reference: Window
    current: Window
    difference: float | None
    standard_error: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    level: float
    threshold: float
    verdict: Word
    reason: str
    rows_needed: int | None
    infinite_p_value: float | None
    drift: dict[str, Drift]
    label_shift: Split | None
    split: dict[str, Split]
    slices: list[SliceChange]
    undefined: dict[str, str]


def compare(reference: State, current: State, *, threshold: float = 0.0, level: float = 0.95) -> Comparison:
    """Is the current window worse than the reference, is that real, and where does it come from?

    Both are taken for independent samples: for two models on the same rows ``compare_paired`` sees much more.

    Args:
        reference: the state to compare with.
        current: the state that may be worse; of the same loss and classes.
        threshold: how much worse is too much, nats.
        level: of the intervals, in (0, 1); a false ``worse`` has half of what is left to 1.

    Raises:
        InvalidInputError: states of different losses, or options out of range.
    """
    threshold, level = checked(threshold, level)
    _check_alike(reference, current)
    before, first = window_of(reference.moments, reference.count, level)
    after, second = window_of(current.moments, current.count, level)
    inference = pooled = None
    if first is not None and second is not None:
        inference, pooled = of_difference(first, second), of_pooled_difference(first, second)
    undefined: dict[str, str] = {}
    splits, label_shift, parts = _splits(reference, current, inference, undefined)
    rows = not (reference.options["clustered"] or current.options["clustered"])
    verdict, p_infinite = _verdict((before, after), (inference, pooled), threshold, level, rows=rows)
    return Comparison(
        reference=before,
        current=after,
        difference=None if inference is None else nearest(inference.value),
        standard_error=None if inference is None else inference.standard_error,
        interval=None if inference is None else inference.interval(level),
        p_value=None if inference is None else inference.p_value(),
        level=level,
        threshold=threshold,
        verdict=verdict.word,
        reason=verdict.reason,
        rows_needed=None if verdict.growth is None else math.ceil(verdict.growth * current.count),
        infinite_p_value=p_infinite,
        drift=_drifts(reference, current, undefined),
        label_shift=label_shift,
        split=splits,
        slices=culprits(parts, reference, current, level),
        undefined=undefined,
    )


def checked(threshold: float, level: float) -> tuple[float, float]:
    """The two as Python's own floats.

    Raises:
        InvalidInputError: out of range.
    """
    threshold, level = number(threshold, "threshold"), number(level, "level")
    check_range("threshold", threshold, math.isfinite(threshold), "a finite number")
    check_range("level", level, 0.5 <= level <= 1 - 1e-9, "a number from 0.5 to below 1")  # noqa: PLR2004  below a half "between" has no meaning
    return threshold, level


def _check_alike(reference: State, current: State) -> None:
    for name in ALIKE:
        here, there = current.options[name], reference.options[name]
        if here != there:
            now, before = (json.dumps(each, ensure_ascii=False)[:200] for each in (here, there))
            said = f"it is {now}, that of the reference {before}"
            detail = f"states of the same {name} are wanted: {said}"
            raise InvalidInputError.at("current", "options", name, detail=detail)


def _verdict(
    windows: tuple[Window, Window],
    views: tuple[Inference | None, Inference | None],
    threshold: float,
    level: float,
    *,
    rows: bool,
) -> tuple[Verdict, float | None]:
    """The verdict, and the p-value about infinite losses where there are any and ``rows`` are independent."""
    (before, after), (inference, pooled) = windows, views
    if not (before.infinite or after.infinite):
        return judged(inference, threshold, level, pooled), None
    p_value = fisher((before.infinite, before.units), (after.infinite, after.units)) if rows else None
    counts = (before.infinite, after.infinite)
    finite = judged(inference, threshold, (1 + level) / 2, pooled)
    return judged_infinite(counts, p_value, finite, level), p_value


def _splits(
    reference: State, current: State, inference: Inference | None, undefined: dict[str, str]
) -> tuple[dict[str, Split], Split | None, dict[str, Mapping[str, Parts]]]:
    """The change by dimension, by true class alone, and the exact parts of every slice."""
    if inference is None:
        undefined["split"] = "a window has no row of positive weight and finite loss"
        return {}, None, {}
    if reference.moments.infinite or current.moments.infinite:
        undefined["split"] = "infinite losses have no parts that add up"
        return {}, None, {}
    change = nearest(inference.value)
    splits, parts = {}, {}
    for dimension in reference.slice_names:
        if dimension not in current.slice_names:
            undefined[f"split.{dimension}"] = "the current state has no such slices"
            continue
        splits[dimension], parts[dimension] = split(
            by_slice(reference, dimension), by_slice(current, dimension), change
        )
    if reference.options["truth"] == "labels":
        undefined["label_shift"] = "labels that are each true or not have no mix of true classes"
        return splits, None, parts
    return splits, split(by_class(reference), by_class(current), change)[0], parts


def _drifts(reference: State, current: State, undefined: dict[str, str]) -> dict[str, Drift]:
    """The drifts that can be told."""
    before, after = _mixes(reference), _mixes(current)
    rows = (_effective_rows(reference), _effective_rows(current))
    drifts: dict[str, Drift] = {}
    for name in ("predicted", "forecast", "true"):
        if name not in before or name not in after:
            undefined[f"drift.{name}"] = (
                "the truth is soft, or labels are each true or not: no such mix is kept"
            )
            continue
        found = drift(before[name], after[name], rows)
        if found is None:
            undefined[f"drift.{name}"] = "a window has no weight"
        else:
            drifts[name] = found
    return drifts


def _mixes(state: State) -> dict[str, Vector]:
    """Σ w by predicted class, Σ w p, and Σ w t."""
    evidence = state.evidence()
    if evidence is None:
        return {}
    mixes = {"forecast": evidence.forecast, "true": evidence.truth}
    if evidence.groups is not None:
        groups = evidence.groups
        by_prediction = np.bincount(groups.predicted, groups.weight, evidence.classes)
        mixes["predicted"] = by_prediction.astype(np.float64, copy=False)
    return mixes


def _effective_rows(state: State) -> float:
    """Kish's (Σw)²/Σw²: rows, or clusters, of equal weight that would say as much."""
    moments = state.moments
    return nearest(moments.w**2 / moments.ww) if moments.ww else 0.0
