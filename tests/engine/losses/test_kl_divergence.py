"""KL divergence as a loss: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import (
    CASES,
    FORMS,
    arrays_of,
    as_form,
    assert_close,
    assert_same_bits,
    random_logits,
    random_truth,
    scored,
)
from lossmeter.engine import LOSSES, score


def test_a_textbook_pair() -> None:
    """KL(1/2, 1/2 ‖ 3/4, 1/4) = 1 − ½ log₂ 3 bits (Cover, Thomas, Elements of Information Theory, example 2.3.1)."""
    scores = score(probabilities=[[0.75, 0.25]], targets=[[0.5, 0.5]], loss="kl_divergence", unit="bits")
    assert scores.loss == pytest.approx(1 - 0.5 * math.log2(3), rel=1e-14)


def test_equal_distributions() -> None:
    """KL(p‖p) is 0, and not a negative rounding error (pytorch#80488)."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(10), 1000)
    losses = score(probabilities=p, targets=p, loss="kl_divergence").losses
    assert losses is not None
    assert not losses.any()


def test_nearly_equal_distributions() -> None:
    """½ Σ (p−q)²/p to first order, at a distance of 2⁻³⁰ where subtracted logarithms leave no digit."""
    step = 2.0**-30
    loss = score(probabilities=[[0.5 + step, 0.5 - step]], targets=[[0.5, 0.5]], loss="kl_divergence").loss
    assert loss == pytest.approx(2 * step * step, rel=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_for_a_hard_truth_it_is_cross_entropy_to_the_bit(form: str) -> None:
    """The entropy of a one-hot truth is 0."""
    rng = np.random.default_rng(1)
    case = next(each for each in CASES if each.loss is LOSSES["cross_entropy"])
    values = as_form(case, form, random_logits(case, rng, 9, 4))
    targets = random_truth(case, rng, 9, 4)
    one, other = (
        scored(case, form, values, targets, loss=name) for name in ("cross_entropy", "kl_divergence")
    )
    assert_same_bits(arrays_of(one), arrays_of(other))


def test_it_is_the_kl_of_the_breakdown() -> None:
    """The loss and kl.kl_divergence are one number."""
    rng = np.random.default_rng(2)
    scores = score(
        logits=rng.normal(0, 3, (20, 5)), targets=rng.dirichlet(np.ones(5), 20), loss="kl_divergence"
    )
    assert scores.kl is not None
    assert_close(scores.losses, scores.kl.kl_divergence, rtol=0)


def test_an_excluded_class() -> None:
    """0 log 0 is 0; what the model excludes and the truth does not costs infinity."""
    assert score(probabilities=[[0.5, 0.5, 0.0]], targets=[[0.25, 0.75, 0.0]], loss="kl_divergence").loss == (
        pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5), rel=1e-14)
    )
    assert score(probabilities=[[1.0, 0.0]], targets=[[0.5, 0.5]], loss="kl_divergence").loss == math.inf
