"""scikit-learn as oracle: log loss, Brier score, class weights; and where it clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.utils.class_weight import compute_class_weight

from engine.oracles.batches import CLASSES, examples
from lossmeter.engine import class_weights, score

BATCH = examples()
LABELS = np.arange(CLASSES)

weightings = pytest.mark.parametrize("weights", [None, BATCH.sample_weights], ids=["unweighted", "weighted"])


@weightings
@pytest.mark.parametrize("mean", [True, False], ids=["mean", "sum"])
def test_log_loss(weights: Any, mean: bool) -> None:  # noqa: ANN401, FBT001
    """log_loss of probabilities, its weighted mean and its sum."""
    theirs = log_loss(BATCH.hard, BATCH.probabilities, labels=LABELS, sample_weight=weights, normalize=mean)
    ours = score(
        probabilities=BATCH.probabilities,
        targets=BATCH.hard,
        sample_weights=weights,
        reduction="mean" if mean else "sum",
    )
    assert ours.loss == pytest.approx(theirs, rel=1e-13)


@weightings
def test_brier_score(weights: Any) -> None:  # noqa: ANN401
    """Squared error is the multi-class Brier score, between 0 and 2."""
    theirs = brier_score_loss(
        BATCH.hard, BATCH.probabilities, labels=LABELS, sample_weight=weights, scale_by_half=False
    )
    ours = score(
        probabilities=BATCH.probabilities, targets=BATCH.hard, sample_weights=weights, loss="squared_error"
    )
    assert ours.loss == pytest.approx(theirs, rel=1e-13)


def test_balanced_class_weights() -> None:
    """compute_class_weight("balanced"), by itself and inside a scoring."""
    theirs = compute_class_weight("balanced", classes=LABELS, y=BATCH.hard)
    np.testing.assert_allclose(
        class_weights(targets=BATCH.hard, classes=CLASSES).class_weights, theirs, rtol=1e-15
    )
    ours = score(logits=BATCH.logits, targets=BATCH.hard, class_weights="balanced")
    plain = log_loss(BATCH.hard, BATCH.probabilities, labels=LABELS, sample_weight=theirs[BATCH.hard])
    assert ours.loss == pytest.approx(plain, rel=1e-13)


def test_certain_misses() -> None:
    """scikit-learn clips p to the rounding of its dtype, 36.04; here epsilon is asked for, and otherwise infinite."""
    p = np.array([[1.0, 0.0], [0.5, 0.5]])
    theirs = log_loss([1, 0], p, labels=[0, 1], normalize=False)
    assert score(probabilities=p, targets=[1, 0], reduction="sum").loss == np.inf
    clipped = score(probabilities=p, targets=[1, 0], reduction="sum", epsilon=float(np.finfo(float).eps))
    assert clipped.loss == pytest.approx(theirs, rel=1e-14)
