"""Poly-1: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import assert_close
from lossmeter.engine import score


@pytest.mark.parametrize("epsilon", [-1.0, 0.5, 1.0, 2.0])
def test_the_definition(epsilon: float) -> None:
    """−log p + ε (1 − p) (Leng et al., PolyLoss, ICLR 2022, equation 6)."""
    loss = score(probabilities=[[0.25, 0.75]], targets=[0], loss={"name": "poly1", "epsilon": epsilon}).loss
    assert loss == pytest.approx(math.log(4) + epsilon * 0.75, rel=1e-15)


def test_the_default_is_one() -> None:
    """ε = 1: a coin costs ln 2 + ½."""
    assert score(logits=[[0.0, 0.0]], targets=[0], loss="poly1").loss == pytest.approx(
        math.log(2) + 0.5, rel=1e-15
    )


def test_epsilon_zero_is_cross_entropy() -> None:
    """ε = 0 leaves the cross-entropy."""
    logits = np.random.default_rng(0).normal(0, 5, (30, 4))
    targets = np.arange(30) % 4
    poly = score(logits=logits, targets=targets, loss={"name": "poly1", "epsilon": 0})
    plain = score(logits=logits, targets=targets)
    assert_close(poly.losses, plain.losses, rtol=2e-15)
    assert_close(poly.gradients, plain.gradients, rtol=1e-14)


def test_epsilon_minus_one_starts_with_the_second_power() -> None:
    """−log p − (1 − p) = (1−p)²/2 + …: two terms that nearly cancel at a sure hit, and never fall below 0."""
    loss = score(logits=[[30.0, 0.0]], targets=[0], loss={"name": "poly1", "epsilon": -1}).loss
    assert loss == pytest.approx(math.exp(-60) / 2, rel=1e-12)
