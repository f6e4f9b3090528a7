"""Focal loss: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import (
    CASES,
    FORMS,
    OPTIONS,
    TRUTHS,
    arrays_of,
    as_form,
    assert_close,
    assert_same_bits,
    options_of,
    random_logits,
    random_truth,
    scored,
)
from lossmeter.engine import LOSSES, score


def test_an_easy_example_counts_a_hundredth() -> None:
    """With γ = 2, p = 0.9 costs 100 times less than cross-entropy (Lin et al., ICCV 2017, section 3.2)."""
    loss = score(probabilities=[[0.9, 0.1]], targets=[0], loss="focal").loss
    assert loss == pytest.approx(-math.log(0.9) / 100, rel=1e-14)


def test_a_hard_example_keeps_a_quarter() -> None:
    """With γ = 2, p = 0.5 costs 4 times less (the same section)."""
    loss = score(probabilities=[[0.5, 0.5]], targets=[0], loss={"name": "focal", "gamma": 2}).loss
    assert loss == pytest.approx(math.log(2) / 4, rel=1e-15)


def test_alpha_is_of_the_true_class_and_not_of_the_denominator() -> None:
    """α_t (1−p_t)^γ (−log p_t), averaged over rows: α is part of the loss."""
    scores = score(
        probabilities=[[0.5, 0.5], [0.5, 0.5]],
        targets=[0, 1],
        loss={"name": "focal", "gamma": 1.0, "alpha": [0.25, 0.75]},
    )
    assert_close(scores.losses, [math.log(2) / 8, 3 * math.log(2) / 8], rtol=2e-15)
    assert scores.denominator == 2


def test_the_tail_keeps_its_digits() -> None:
    """(2e^−40)³ to first order for logits [40, 0, 0] and γ = 2: (1−p)² and −log p are both 2e^−40."""
    loss = score(logits=[[40.0, 0.0, 0.0]], targets=[0], loss="focal").loss
    assert loss == pytest.approx(8 * math.exp(-120), rel=1e-14)


def test_below_gamma_one_the_gradient_is_finite_at_a_sure_hit() -> None:
    """γ = 0.5 at p = 1: the slope γ(1−p)^(γ−1) of the factor is infinite, its product with log p is 0."""
    for logits in ([[1000.0, 0.0]], [[40.0, 0.0]]):
        scores = score(logits=logits, targets=[0], loss={"name": "focal", "gamma": 0.5})
        assert scores.gradients is not None
        assert np.isfinite(scores.gradients).all()


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("form", FORMS)
def test_gamma_zero_is_cross_entropy_to_the_bit(form: str, truth: str, option: str) -> None:
    """Every array of focal(γ=0) is that of cross_entropy."""
    rng = np.random.default_rng(1)
    case = next(each for each in CASES if each.loss is LOSSES["cross_entropy"])
    values = as_form(case, form, random_logits(case, rng, 9, 4, 12.0 if form == "logits" else 3.0))
    targets = random_truth(case, rng, 9, 4, truth)
    options = options_of(option, case, form, 9, 4)
    plain = scored(case, form, values, targets, **options)
    focal = scored(case, form, values, targets, loss={"name": "focal", "gamma": 0}, **options)
    assert_same_bits(arrays_of(plain), arrays_of(focal))
    assert (plain.loss, plain.denominator) == (focal.loss, focal.denominator)
