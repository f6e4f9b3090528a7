"""Cross-entropy: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import assert_close
from lossmeter.engine import score


@pytest.mark.parametrize("targets", [[0], [[1, 0, 0, 0, 0]]])
def test_five_classes(targets: list[int] | list[list[int]]) -> None:
    """[0.1, 0.5, 0.1, 0.1, 0.2] with truth [1, 0, 0, 0, 0] costs −log 0.1 = ln 10: the definition."""
    scores = score(probabilities=[[0.1, 0.5, 0.1, 0.1, 0.2]], targets=targets)
    assert scores.loss == pytest.approx(math.log(10), rel=1e-15)
    assert_close(scores.gradients, [[-10, 0, 0, 0, 0]], rtol=2e-15)


def test_two_logits() -> None:
    """log(1 + e^−1) for logits [1, 0]; the gradient is p − t with p = 1/(1 + e^−1) (Bishop, PRML, equation 4.109)."""
    scores = score(logits=[[1.0, 0.0]], targets=[0])
    p = 1 / (1 + math.exp(-1))
    assert scores.loss == pytest.approx(math.log1p(math.exp(-1)), rel=1e-15)
    assert_close(scores.gradients, [[p - 1, 1 - p]], rtol=2e-15)


def test_a_loss_below_the_rounding_of_one() -> None:
    """log(1 + 2e^−40) for [40, 0, 0]: what log_softmax of the large frameworks returns as 0 (pytorch#113708)."""
    scores = score(logits=[[40.0, 0.0, 0.0]], targets=[0])
    tiny = math.exp(-40)
    assert scores.loss == pytest.approx(2 * tiny, rel=1e-15)
    assert_close(scores.gradients, [[-2 * tiny, tiny, tiny]], rtol=2e-15)


def test_uniform_predictions_cost_log_of_the_classes() -> None:
    """Log C, whatever the truth: the entropy of the uniform distribution."""
    for classes in (2, 3, 10, 1000):
        assert score(logits=np.zeros((2, classes)), targets=[0, classes - 1]).loss == pytest.approx(
            math.log(classes), rel=1e-15
        )


def test_soft_targets() -> None:
    """Σ −t log p with t = (3/4, 1/4), p = (1/2, 1/2): ln 2, of which H(t) = ln 4 − (3/4) ln 3 is the truth's own."""
    scores = score(probabilities=[[0.5, 0.5]], targets=[[0.75, 0.25]])
    assert scores.loss == pytest.approx(math.log(2), rel=1e-15)
    assert scores.kl is not None
    assert scores.kl.target_entropy[0] == pytest.approx(math.log(4) - 0.75 * math.log(3), rel=1e-15)


def test_label_smoothing() -> None:
    """α = 0.1 over two classes is t = (0.95, 0.05) (Szegedy et al., CVPR 2016, section 7)."""
    expected = -0.95 * math.log(0.8) - 0.05 * math.log(0.2)
    scores = score(probabilities=[[0.8, 0.2]], targets=[0], label_smoothing=0.1)
    assert scores.loss == pytest.approx(expected, rel=1e-15)


def test_weights_and_denominators() -> None:
    """Σ w l / Σ w for indices, as PyTorch documents CrossEntropyLoss(weight=...); the same for one-hot rows."""
    p = [[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]
    losses = [1 * math.log(2), 3 * math.log(4)]
    for targets in ([0, 1], [[1, 0, 0], [0, 1, 0]]):
        scores = score(probabilities=p, targets=targets, class_weights=[1, 3, 5])
        assert_close(scores.losses, losses, rtol=2e-15)
        assert scores.denominator == 4
        assert scores.loss == pytest.approx(sum(losses) / 4, rel=1e-15)


def test_smoothed_weights() -> None:
    """Σ_c w_c t′_c (−log p_c), divided by Σ_c w_c t′_c: every class brings its own weight, also when smoothed."""
    scores = score(
        probabilities=[[0.5, 0.25, 0.25]], targets=[0], class_weights=[1, 2, 4], label_smoothing=0.3
    )
    t = [0.8, 0.1, 0.1]
    whole = t[0] * 1 * math.log(2) + (t[1] * 2 + t[2] * 4) * math.log(4)
    assert scores.denominator == pytest.approx(1.4, rel=1e-15)
    assert scores.loss == pytest.approx(whole / 1.4, rel=1e-14)


def test_epsilon() -> None:
    """A certain miss costs −log ε when probabilities are clipped at ε, and infinitely much when they are not."""
    assert score(probabilities=[[0.0, 1.0]], targets=[0], epsilon=1e-7).loss == -math.log(1e-7)
    assert score(probabilities=[[0.0, 1.0]], targets=[0]).loss == math.inf
