"""Losses and gradients of rows with one true class, against 80 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import score

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from numpy.typing import NDArray

Case: TypeAlias = "tuple[dict[str, Any], exact.Phi | str, float]"
"""A loss, its definition, and its bound in units of the last place of the truth."""

CASES: list[Case] = [
    ({"name": "cross_entropy"}, exact.cross_entropy, 8),
    ({"name": "focal", "gamma": 2.0}, exact.focal(2.0), rows.focal_bound(2)),
    ({"name": "focal", "gamma": 0.5}, exact.focal(0.5), 8),
    ({"name": "focal", "gamma": 1.0}, exact.focal(1.0), 8),
    ({"name": "focal", "gamma": 5.0}, exact.focal(5.0), rows.focal_bound(5)),
    ({"name": "poly1", "epsilon": 1.0}, exact.poly1(1.0), 8),
    # At ε = −1 all that is left is −log p − (1−p), of the order of (1−p)².
    ({"name": "poly1", "epsilon": -1.0}, exact.poly1(-1.0), 12),
    ({"name": "generalized_cross_entropy", "q": 0.7}, exact.generalized(0.7), 8),
    ({"name": "kl_divergence"}, "kl_divergence", 8),
    ({"name": "squared_error"}, "squared_error", 8),
    ({"name": "jensen_shannon"}, "jensen_shannon", 8),
]
"""What is looked at on every row: losses, their definition and their bound."""


@st.composite
def batches(draw: DrawFn) -> tuple[NDArray[Any], int, float]:
    """A row, its true class (as often as not the best), and a temperature."""
    classes = draw(st.integers(2, rows.MOST_CLASSES))
    row = draw(rows.logits(classes))
    target = int(np.argmax(row)) if draw(st.booleans()) else draw(st.integers(0, classes - 1))
    return rows.one(row, draw(rows.dtypes)), target, draw(rows.temperatures)


def expected(definition: exact.Phi | str, target: int, model: exact.Distribution) -> tuple[Any, exact.Row]:
    """The loss and its slopes by log p."""
    truth = exact.one_hot(target, len(model.p))
    if isinstance(definition, str):
        return exact.divergence_loss(definition, truth, model)
    return exact.row_loss(definition, truth.p, model)


def check(batch: tuple[NDArray[Any], int, float]) -> None:
    """Losses of the table, their gradient at every class, and what is said of KL."""
    sent, target, temperature = batch
    model = exact.softmax(sent[0], temperature)
    for loss, definition, bound in CASES:
        scores = score(logits=sent, targets=[target], loss=loss, temperature=temperature, reduction="sum")
        value, slopes = expected(definition, target, model)
        dtype = sent.dtype.type
        bound = rows.in_precision(bound, dtype)  # noqa: PLW2901  float32 is evaluated in float64
        assert scores.losses is not None
        assert exact.units(scores.losses[0], value, dtype) <= bound, (loss, "loss")
        assert scores.gradients is not None
        truth = exact.by_logits(slopes, model, temperature)
        # Slopes that are made of p cancel in places: there the bound is of what is added up.
        cancels = loss["name"] in {"squared_error", "jensen_shannon"}
        scale = exact.reach(slopes, model, temperature) if cancels else [0] * len(truth)
        # The slope of generalized cross-entropy is p^q, as wrong as log p is absolutely: by two roundings.
        gap = float(max(model.log_p) - model.log_p[target]) if "q" in loss and model.p[target] else 0.0
        for place, wanted in enumerate(truth):
            assert exact.units(scores.gradients[0, place], wanted, dtype, scale[place]) <= bound + 2 * gap, (
                loss,
                place,
            )
        assert exact.closes(scores.gradients[0]), (loss, "sum of a row")
        assert scores.kl is not None
        surprise = -model.log_p[target]
        assert exact.units(scores.kl.kl_divergence[0], surprise, dtype) <= 8, "kl"


@given(batch=batches())
@rows.thoroughly
def test_bounds(batch: tuple[NDArray[Any], int, float]) -> None:
    """Losses and gradients keep their bounds on rows of every hard kind."""
    check(batch)


@pytest.mark.long
@given(batch=batches())
@rows.at_length
def test_bounds_at_length(batch: tuple[NDArray[Any], int, float]) -> None:
    """The same on ten times as many rows, others in every run."""
    check(batch)
