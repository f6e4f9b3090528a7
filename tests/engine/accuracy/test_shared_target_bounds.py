"""Losses and gradients of rows whose truth is shared among classes, or smoothed, against 80 digits.

Where truth and model nearly agree, a divergence of the two is of second order and the probabilities carry their own
rounding: no more can be promised there than the exact answer for logits that were moved by a few units. So the error of
a divergence is measured against the loss and against what such a move makes of it, Σ|∂L/∂x|. Squared error also sees
that rounded probabilities do not quite sum to 1: there it is Σ|p ∂L/∂p|.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import score

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from numpy.typing import NDArray

SUMS: list[tuple[dict[str, Any], exact.Phi, float]] = [
    ({"name": "cross_entropy"}, exact.cross_entropy, 8),
    ({"name": "focal", "gamma": 2.0}, exact.focal(2.0), rows.focal_bound(2)),
    ({"name": "poly1", "epsilon": 1.0}, exact.poly1(1.0), 8),
    ({"name": "generalized_cross_entropy", "q": 0.7}, exact.generalized(0.7), 8),
]
"""Losses that are Σ t φ(p) of terms of one sign."""

DIVERGENCES = ["kl_divergence", "reverse_kl", "jensen_shannon", "squared_error"]


@st.composite
def batches(draw: DrawFn) -> tuple[NDArray[Any], NDArray[Any], float, float]:
    """A row, its truth, a temperature and a smoothing."""
    classes = draw(st.integers(2, rows.MOST_CLASSES))
    dtype, temperature = draw(rows.dtypes), draw(rows.temperatures)
    sent = rows.one(draw(rows.logits(classes)), dtype)
    if draw(st.booleans()):
        truth = draw(rows.dyadic(classes, 20))
    else:  # what the model says, rounded
        model = np.array([float(p) for p in exact.softmax(sent[0], temperature).p])
        truth = np.rint(model * 2**20) / 2**20
        truth[np.argmax(truth)] += 1 - truth.sum()
    return sent, rows.one(truth, dtype), temperature, draw(st.sampled_from([0.0, 0.1]))


def check(batch: tuple[NDArray[Any], NDArray[Any], float, float]) -> None:
    """Every sum and every divergence."""
    sent, truth, temperature, smoothing = batch
    model = exact.softmax(sent[0], temperature)
    target = exact.smoothed(truth[0], smoothing, sent[0] == -np.inf)
    options: dict[str, Any] = {"temperature": temperature, "label_smoothing": smoothing, "reduction": "sum"}
    for loss, phi, bound in SUMS:
        if any(t and not p for t, p in zip(target.p, model.p, strict=True)):
            continue  # a certain miss is infinite, and other tests look at it
        scores = score(logits=sent, targets=truth, loss=loss, **options)
        value, slopes = exact.row_loss(phi, target.p, model)
        assert scores.losses is not None
        assert exact.units(scores.losses[0], value, sent.dtype.type) <= bound, loss
        scale = exact.reach(slopes, model, temperature)
        # The slope of generalized cross-entropy is p^q, as wrong as log p is absolutely: by two roundings.
        depths = (
            [-float(each) for each, p in zip(model.log_p, model.p, strict=True) if p] if "q" in loss else [0]
        )
        wanted = exact.by_logits(slopes, model, temperature)
        check_gradients(scores.gradients, wanted, scale, loss, bound + 2 * max(depths))
    for name in DIVERGENCES:
        if name in {"kl_divergence", "reverse_kl"} and any(
            bool(t) != bool(p) for t, p in zip(target.p, model.p, strict=True)
        ):
            continue
        scores = score(logits=sent, targets=truth, loss=name, **options)
        value, slopes = exact.divergence_loss(name, target, model)
        gradients = exact.by_logits(slopes, model, temperature)
        moves = slopes if name == "squared_error" else [temperature * each for each in gradients]
        moved = exact.total([abs(each) for each in moves])
        pulled = smoothing and exact.total([abs(each) for each in exact.pulls(name, target, model)])
        floor = 64 * float(np.finfo(sent.dtype).eps)
        assert scores.losses is not None
        assert exact.units(scores.losses[0], value, sent.dtype.type, value + moved + pulled + floor) <= 8, (
            name
        )
        sides = zip(exact.reach(slopes, model, temperature), model.p, target.p, strict=True)
        scale = [each + (p + t) / temperature for each, p, t in sides]
        check_gradients(scores.gradients, gradients, scale, name)


def check_gradients(
    returned: NDArray[Any] | None, truth: exact.Row, scale: exact.Row, loss: object, bound: float = 8
) -> None:
    """Every entry within the bound, of what is added up in it, p and the truth; rows that sum to 0."""
    assert returned is not None
    row = returned[0]
    for place, wanted in enumerate(truth):
        assert exact.units(row[place], wanted, row.dtype.type, scale[place]) <= bound, (loss, place)
    assert exact.closes(row), (loss, "sum of a row")


@given(batch=batches())
@rows.thoroughly
def test_bounds(batch: tuple[NDArray[Any], NDArray[Any], float, float]) -> None:
    """Losses and gradients keep their bounds on rows of every hard kind, near the truth and far from it."""
    check(batch)


@pytest.mark.long
@given(batch=batches())
@rows.at_length
def test_bounds_at_length(batch: tuple[NDArray[Any], NDArray[Any], float, float]) -> None:
    """The same on ten times as many rows, others in every run."""
    check(batch)
