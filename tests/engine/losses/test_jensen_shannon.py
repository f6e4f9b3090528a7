"""Jensen-Shannon divergence: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from engine.cases import assert_close
from lossmeter.engine import score


def test_disjoint_distributions_are_one_bit_apart() -> None:
    """JS ≤ log 2, with equality for disjoint supports (Lin, IEEE Trans. Inf. Theory 37, 1991, theorem 4)."""
    assert score(probabilities=[[0.0, 1.0]], targets=[0], loss="jensen_shannon", unit="bits").loss == 1
    assert score(probabilities=[[0.0, 1.0]], targets=[0], loss="jensen_shannon").loss == math.log(2)


def test_half_right() -> None:
    """½ log(4/3) + ¼ log(2/3) + ¼ log 2 for t = (1, 0) and p = (½, ½), by the definition."""
    loss = score(probabilities=[[0.5, 0.5]], targets=[0], loss="jensen_shannon").loss
    expected = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.25 * math.log(2)
    assert loss == pytest.approx(expected, rel=1e-14)


def test_against_scipy() -> None:
    """The square of scipy.spatial.distance.jensenshannon."""
    rng = np.random.default_rng(0)
    p, t = rng.dirichlet(np.ones(6), 50), rng.dirichlet(np.ones(6), 50)
    expected = [jensenshannon(one, other) ** 2 for one, other in zip(p, t, strict=True)]
    losses = score(probabilities=p, targets=t, loss="jensen_shannon").losses
    assert losses is not None
    assert_close(losses, expected, rtol=1e-12)


def test_nearly_equal_distributions() -> None:
    """⅛ Σ (p−t)²/t to first order, at a distance of 2⁻³⁰."""
    step = 2.0**-30
    loss = score(probabilities=[[0.5 + step, 0.5 - step]], targets=[[0.5, 0.5]], loss="jensen_shannon").loss
    assert loss == pytest.approx(step * step / 2, rel=1e-8)


def test_the_gradient_of_a_sure_miss_is_finite() -> None:
    """½ p log(p/m) through softmax stays small where p is e^−50 and the truth is there."""
    gradients = score(logits=[[50.0, 0.0]], targets=[1], loss="jensen_shannon").gradients
    p = math.exp(-50)
    pull = 0.5 * p * (math.log(2) + math.log(p) - math.log(2))
    assert gradients is not None
    assert_close(gradients, [[-pull, pull]], rtol=0.05)
