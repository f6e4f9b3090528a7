"""The use case: a state becomes the loss, its interval, quantiles, metrics and slices, as if its rows were here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from lossmeter.engine.comparison.compare import checked
from lossmeter.engine.comparison.window import Window, window_of
from lossmeter.engine.metrics import Answer, compute, known

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lossmeter.engine.state import Slice, State

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Of the losses before weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceReport(Window):
    """A slice: its loss with what is known of its error, and the metrics that a state keeps of slices of classes.

    Attributes:
        log_loss: the mean log loss, nats.
        brier_score: the mean Brier score, 0 … 2.
        accuracy: the share of hits.
        top_k_accuracy: the share of rows whose truth is among the k most probable.
        confidence: the mean probability of the predicted class.
    """

    log_loss: float | None
    brier_score: float | None
    accuracy: float | None
    top_k_accuracy: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Report(Window):
    """What a state says; losses in nats.

    Attributes:
        ignored: rows that were ignored.
        level: of the intervals.
        quantiles: by their share, written as a number, of the losses before weights; within 1 %.
        metrics: those that add up.
        undefined: why others are missing.
        slices: by dimension and value, those of the most weight first, beyond 100 the rest as ``other``.
    """

    ignored: int
    level: float
    quantiles: dict[str, float]
    metrics: dict[str, Answer]
    undefined: dict[str, str]
    slices: dict[str, dict[str, SliceReport]] | None


def report(state: State, *, level: float = 0.95, metrics: Collection[str] | None = None) -> Report:
    """Turn a state into numbers.

    Args:
        state: of a batch, or of many.
        level: of the intervals, from 0.5 to below 1.
        metrics: names of the registry; None for all. Those that a state cannot tell are in ``undefined``.

    Raises:
        InvalidInputError: ``level`` out of range, or an unknown metric.
    """
    wanted = known(metrics)
    _, level = checked(0.0, level)
    window, _ = window_of(state.moments, state.count, level)
    evidence = state.evidence()
    found: dict[str, Answer] = {}
    undefined = dict.fromkeys(wanted, "labels are each true or not: metrics of classes do not apply")
    if evidence is not None:
        found, undefined = compute(evidence, wanted)
    return Report(
        **_fields(window),
        ignored=state.ignored,
        level=level,
        quantiles={f"{q:g}": state.quantile(q) for q in QUANTILES}
        if window.weight or window.infinite
        else {},
        metrics=found,
        undefined=undefined,
        slices=of_slices(state.slices(), level) or None,
    )


def of_slices(
    slices: Mapping[str, Mapping[str, Slice]], level: float = 0.95
) -> dict[str, dict[str, SliceReport]]:
    """What is known of every slice, by dimension and value."""
    return {
        dimension: {value: _slice(each, level) for value, each in values.items()}
        for dimension, values in slices.items()
    }


def _slice(each: Slice, level: float) -> SliceReport:
    window, _ = window_of(each.moments, each.count, level)
    judged = (
        each.confidence > 0
    )  # that of classes is at least 1/classes; labels that are each true or not have none
    return SliceReport(
        **_fields(window),
        log_loss=each.log_loss if judged else None,
        brier_score=each.brier if judged else None,
        accuracy=each.accuracy if judged else None,
        top_k_accuracy=each.top_k if judged else None,
        confidence=each.confidence if judged else None,
    )


def _fields(window: Window) -> dict[str, Any]:
    return {field.name: getattr(window, field.name) for field in fields(window)}
