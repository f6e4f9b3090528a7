"""Binary cross-entropy: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import assert_close
from lossmeter.engine import score

LOSS = "binary_cross_entropy"


def test_one_number_per_row() -> None:
    """log(1 + e^−z) for a truth of 1, log(1 + e^z) for 0; the gradient is p − t (Bishop, PRML, equation 4.91)."""
    scores = score(logits=[2.0, 2.0], targets=[1, 0], loss=LOSS, reduction="none")
    p = 1 / (1 + math.exp(-2))
    assert_close(scores.losses, [math.log1p(math.exp(-2)), math.log1p(math.exp(2))], rtol=2e-15)
    assert_close(scores.gradients, [p - 1, p], rtol=2e-15)


@pytest.mark.parametrize(("z", "truth"), [(40.0, 1), (-40.0, 0)])
def test_both_tails_keep_their_digits(z: float, truth: int) -> None:
    """log(1 + e^−40) from either side; BCEWithLogitsLoss of PyTorch returns 0 for the truth 0."""
    scores = score(logits=[z], targets=[truth], loss=LOSS)
    assert scores.loss == pytest.approx(math.exp(-40), rel=1e-15)


def test_labels_are_summed_and_averaged_over_elements() -> None:
    """A row's loss is the sum over its labels; the mean is over all n · labels, as in PyTorch's BCELoss."""
    p, t = np.array([[0.5, 0.25], [0.75, 0.5]]), [[1, 0], [1, 1]]
    each = -np.log([[0.5, 0.75], [0.75, 0.5]])
    scores = score(probabilities=p, targets=t, loss=LOSS)
    assert_close(scores.losses, each.sum(axis=1), rtol=2e-15)
    assert scores.denominator == 4
    assert scores.loss == pytest.approx(float(each.mean()), rel=1e-15)
    assert score(probabilities=p, targets=t, loss=LOSS, normalization="count").denominator == 2


def test_pos_weight() -> None:
    """w₊ multiplies the truth 1 only, and stays out of the denominator (PyTorch's BCEWithLogitsLoss, pos_weight)."""
    scores = score(logits=[0.0, 0.0], targets=[1, 0], loss={"name": LOSS, "pos_weight": 3.0})
    assert_close(scores.losses, [3 * math.log(2), math.log(2)], rtol=2e-15)
    assert scores.denominator == 2
    per_label = score(logits=[[0.0, 0.0]], targets=[[1, 1]], loss={"name": LOSS, "pos_weight": [3.0, 5.0]})
    assert per_label.losses is not None
    assert per_label.losses[0] == pytest.approx(8 * math.log(2), rel=1e-15)


def test_class_weights() -> None:
    """Those of truth 0 and truth 1 for Float[n], one per label for Float[n, labels]; in the denominator too."""
    scores = score(logits=[0.0, 0.0], targets=[1, 0], loss=LOSS, class_weights=[2, 6])
    assert_close(scores.losses, [6 * math.log(2), 2 * math.log(2)], rtol=2e-15)
    assert scores.denominator == 8
    labels = score(logits=[[0.0, 0.0]], targets=[[1, 0]], loss=LOSS, class_weights=[2, 6])
    assert_close(labels.losses, [8 * math.log(2)], rtol=2e-15)
    assert labels.denominator == 8


def test_smoothing_is_towards_one_half() -> None:
    """t(1−α) + α/2: a truth of 1 at α = 0.2 is 0.9."""
    scores = score(probabilities=[0.8], targets=[1], loss=LOSS, label_smoothing=0.2)
    assert scores.loss == pytest.approx(-0.9 * math.log(0.8) - 0.1 * math.log(0.2), rel=1e-15)


def test_kl_of_bernoulli_distributions() -> None:
    """KL(3/4 ‖ 1/2) = ln 2 − H(3/4) (Cover, Thomas, Elements of Information Theory, example 2.3.1)."""
    scores = score(probabilities=[0.5], targets=[0.75], loss=LOSS, include=("kl", "contributions"))
    assert scores.kl is not None
    entropy = math.log(4) - 0.75 * math.log(3)
    assert scores.kl.kl_divergence[0] == pytest.approx(math.log(2) - entropy, rel=1e-14)
    assert scores.kl.target_entropy[0] == pytest.approx(entropy, rel=1e-15)
    assert_close(scores.contributions, scores.kl.kl_divergence, rtol=1e-14)
    assert_close(scores.kl.by_class, scores.kl.kl_divergence * [0.25, 0.75], rtol=1e-14)


def test_two_classes_are_one_label() -> None:
    """Softmax of [0, z] is the sigmoid of z: both losses agree."""
    z = np.linspace(-30, 30, 61)
    both = score(logits=np.stack([np.zeros(61), z], axis=1), targets=np.ones(61, int)).losses
    one = score(logits=z, targets=np.ones(61), loss=LOSS).losses
    assert both is not None
    assert one is not None
    assert_close(one, both, rtol=2e-15)
