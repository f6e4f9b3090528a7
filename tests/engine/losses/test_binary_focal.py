"""Binary focal loss: golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.cases import (
    CASES,
    FORMS,
    OPTIONS,
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


@pytest.mark.parametrize(("p", "truth"), [(0.9, 1), (0.1, 0)])
def test_an_easy_example_counts_a_hundredth(p: float, truth: int) -> None:
    """With γ = 2, p_t = 0.9 costs 100 times less than cross-entropy (Lin et al., ICCV 2017, section 3.2)."""
    loss = score(probabilities=[p], targets=[truth], loss="binary_focal").loss
    assert loss == pytest.approx(-math.log(0.9) / 100, rel=1e-14)


def test_alpha_balances() -> None:
    """α = 0.25 for truth 1 and 1 − α = 0.75 for truth 0 (equation 5), and neither in the denominator."""
    scores = score(
        logits=[0.0, 0.0], targets=[1, 0], loss={"name": "binary_focal", "gamma": 2, "alpha": 0.25}
    )
    assert_close(scores.losses, [0.0625 * math.log(2), 0.1875 * math.log(2)], rtol=2e-15)
    assert scores.denominator == 2


@pytest.mark.parametrize(("z", "truth"), [(20.0, 1), (-20.0, 0)])
def test_both_tails_keep_their_digits(z: float, truth: int) -> None:
    """(1−p)² (−log p) with 1 − p = 1/(1+e^20): from either side."""
    q = 1 / (1 + math.exp(20))
    loss = score(logits=[z], targets=[truth], loss="binary_focal").loss
    assert loss == pytest.approx(q * q * -math.log1p(-q), rel=1e-14)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("single", [False, True])
def test_gamma_zero_is_binary_cross_entropy_to_the_bit(form: str, option: str, *, single: bool) -> None:
    """Every array of binary_focal(γ=0) without α is that of binary_cross_entropy."""
    rng = np.random.default_rng(1)
    loss = LOSSES["binary_cross_entropy"]
    case = next(each for each in CASES if each.loss is loss and each.single == single)
    values = as_form(case, form, random_logits(case, rng, 9, 4))
    targets = random_truth(case, rng, 9, 4, "mixed")
    options = options_of(option, case, form, 9, 4)
    plain = scored(case, form, values, targets, **options)
    focal = scored(case, form, values, targets, loss={"name": "binary_focal", "gamma": 0}, **options)
    assert_same_bits(arrays_of(plain), arrays_of(focal))
