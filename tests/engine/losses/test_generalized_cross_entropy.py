"""Generalized cross-entropy: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import assert_close
from lossmeter.engine import score

NAME = "generalized_cross_entropy"


@pytest.mark.parametrize("q", [0.1, 0.5, 0.7, 1.0])
def test_the_definition(q: float) -> None:
    """(1 − p^q)/q (Zhang, Sabuncu, NeurIPS 2018, equation 6)."""
    loss = score(probabilities=[[0.25, 0.75]], targets=[0], loss={"name": NAME, "q": q}).loss
    assert loss == pytest.approx((1 - 0.25**q) / q, rel=1e-14)


def test_q_one_is_half_the_absolute_error() -> None:
    """Q = 1 is 1 − p, half of |1 − p| + Σ p_j (the same paper, section 3.2)."""
    p = np.array([[0.5, 0.25, 0.25]])
    loss = score(probabilities=p, targets=[1], loss={"name": NAME, "q": 1}).loss
    assert loss == np.sum(np.abs(p - [0, 1, 0])) / 2


def test_small_q_is_cross_entropy() -> None:
    """Lim q → 0 is −log p (the same place)."""
    p = [[1e-5, 1 - 1e-5], [0.5, 0.5]]
    near = score(probabilities=p, targets=[0, 0], loss={"name": NAME, "q": 1e-12}).losses
    plain = score(probabilities=p, targets=[0, 0]).losses
    assert near is not None
    assert plain is not None
    assert_close(near, plain, rtol=1e-10)


def test_a_wrong_label_costs_at_most_one_over_q() -> None:
    """The bound that makes it robust, reached at p = 0; its gradient by logits is 0 there."""
    scores = score(logits=[[-np.inf, 0.0]], targets=[0], loss={"name": NAME, "q": 0.25})
    assert scores.loss == 4
    assert_close(scores.gradients, [[0, 0]], rtol=0)


def test_a_tiny_loss_keeps_its_digits() -> None:
    """1 − p^q over q is −log p to first order: 2e^−40 for logits [40, 0, 0]."""
    assert score(logits=[[40.0, 0.0, 0.0]], targets=[0], loss=NAME).loss == pytest.approx(
        2 * math.exp(-40), rel=1e-15
    )
