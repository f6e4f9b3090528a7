"""Reverse KL divergence: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import assert_close
from lossmeter.engine import score


def test_it_is_kl_the_other_way_round() -> None:
    """KL(3/4, 1/4 ‖ 1/2, 1/2) = ¾ log₂ 3 − 1 bits (Cover, Thomas, Elements of Information Theory, example 2.3.1)."""
    scores = score(probabilities=[[0.75, 0.25]], targets=[[0.5, 0.5]], loss="reverse_kl", unit="bits")
    assert scores.loss == pytest.approx(0.75 * math.log2(3) - 1, rel=1e-14)


def test_a_hard_truth_costs_infinity_unless_it_is_met() -> None:
    """P log(p/0) is infinite; label smoothing makes it finite; a class without probability costs nothing."""
    assert score(logits=[[5.0, 0.0]], targets=[0], loss="reverse_kl").loss == math.inf
    assert score(probabilities=[[1.0, 0.0]], targets=[0], loss="reverse_kl").loss == 0
    smoothed = score(probabilities=[[0.5, 0.5]], targets=[0], loss="reverse_kl", label_smoothing=0.5)
    assert smoothed.loss == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25), rel=1e-14)


def test_the_gradient_vanishes_at_the_truth() -> None:
    """KL(p‖t) has its minimum at p = t: by logits 0, by free probabilities log 1 + 1 at every class."""
    logits = np.array([[1.0, -2.0, 0.5]])
    p = np.exp(logits) / np.sum(np.exp(logits))
    assert_close(score(logits=logits, targets=p, loss="reverse_kl").gradients, 0, rtol=0, atol=1e-16)
    by_p = score(probabilities=p, targets=p, loss="reverse_kl").gradients
    assert_close(by_p, 1, rtol=2e-15)
