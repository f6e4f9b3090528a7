"""Squared error: golden values."""

from __future__ import annotations

import math

import pytest

from engine.cases import assert_close
from lossmeter.engine import score


@pytest.mark.parametrize(
    ("p", "expected"),
    [([1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.0], 2.0), ([0.8, 0.2, 0.0], 0.08), ([1 / 3, 1 / 3, 1 / 3], 2 / 3)],
)
def test_the_brier_score(p: list[float], expected: float) -> None:
    """Σ (p − t)², from 0 to 2 (Brier, Monthly Weather Review 78, 1950, equation 2)."""
    assert score(probabilities=[p], targets=[0], loss="squared_error").loss == pytest.approx(
        expected, rel=1e-15, abs=0
    )


def test_the_gradient_dies_where_the_model_is_surely_wrong() -> None:
    """2 p_j ((p_j − t_j) − Σ p (p − t)): at a gap of 40 it is of the order of e^−40 while cross-entropy pulls by 1."""
    logits = [[0.0, 40.0]]
    squared = score(logits=logits, targets=[0], loss="squared_error").gradients
    crossed = score(logits=logits, targets=[0]).gradients
    assert_close(squared, [[-4 * math.exp(-40), 4 * math.exp(-40)]], rtol=1e-14)
    assert_close(crossed, [[-1, 1]], rtol=2e-15)


def test_by_probabilities() -> None:
    """2 (p − t) at every class."""
    scores = score(probabilities=[[0.5, 0.25, 0.25]], targets=[1], loss="squared_error")
    assert_close(scores.gradients, [[1.0, -1.5, 0.5]], rtol=0)


def test_a_tiny_error_keeps_its_digits() -> None:
    """(1 − p)² + Σ p_j² = 4e^−80 + 2e^−80 for logits [40, 0, 0]."""
    loss = score(logits=[[40.0, 0.0, 0.0]], targets=[0], loss="squared_error").loss
    assert loss == pytest.approx(6 * math.exp(-80), rel=1e-14)
