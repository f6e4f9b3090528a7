"""Closed-form gradients against central differences of fourth order, for every loss, input, truth and option."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cases import (
    CASES,
    DEFAULTS,
    FORMS,
    OPTIONS,
    OVER_CLASSES,
    TRUTHS,
    Case,
    as_form,
    options_of,
    random_logits,
    random_truth,
    scored,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

N, CLASSES = 5, 4
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}


def differences(
    case: Case, form: str, values: NDArray[np.float64], targets: NDArray[Any], options: dict[str, Any]
) -> NDArray[np.float64]:
    """∂(Σ losses)/∂values, one element moved at a time, all of them in four scorings."""
    n = len(values)
    width = values.size // n
    flat = values.reshape(n, width)
    room = (
        np.minimum(np.exp(flat), -np.expm1(flat))
        if form == "log_probabilities"
        else np.minimum(flat, 1 - flat)
    )
    step = np.full(flat.shape, 1e-3) if form == "logits" else 1e-3 * np.minimum(room, 1)
    moved = np.eye(width)[None] * step[:, :, None]
    said = options | {"reduction": "none", "include": ("losses",)}
    if form != "logits":
        said["tolerance"] = 0.5
    if "sample_weights" in said:
        said["sample_weights"] = np.repeat(said["sample_weights"], width)
    slope = np.zeros((n, width))
    for shift, factor in STENCIL.items():
        rows = (flat[:, None, :] + shift * moved).reshape((n * width, *values.shape[1:]))
        losses = scored(case, form, rows, np.repeat(targets, width, axis=0), **said).losses
        assert losses is not None
        slope += factor * losses.reshape(n, width)
    return (slope / step).reshape(values.shape)


def assert_gradient(
    case: Case,
    form: str,
    values: NDArray[np.float64],
    targets: NDArray[Any],
    options: dict[str, Any],
    *,
    message: str = "",
) -> None:
    """The gradient of every row whose loss is finite is that of the difference quotient."""
    found = scored(case, form, values, targets, **options)
    assert found.gradients is not None
    assert found.losses is not None
    divisor = found.denominator if found.reduction == "mean" else 1.0
    with np.errstate(invalid="ignore"):
        expected = differences(case, form, values, targets, options) / divisor
    finite = np.isfinite(found.losses)
    np.testing.assert_allclose(
        found.gradients[finite], expected[finite], rtol=1e-7, atol=2e-9, err_msg=message
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_gradient_is_the_slope_of_the_loss(case: Case, form: str) -> None:
    """The gradient with respect to the array as sent is the central difference of the loss, under every option."""
    for truth, option in product(TRUTHS, OPTIONS):
        rng = np.random.default_rng(5)
        values = as_form(case, form, random_logits(case, rng, N, CLASSES))
        targets = random_truth(case, rng, N, CLASSES, truth)
        options = options_of(option, case, form, N, CLASSES)
        assert_gradient(case, form, values, targets, options, message=f"{truth}, {option}")


@pytest.mark.parametrize("truth", ["hard", "soft"])
@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_beside_masked_classes(case: Case, truth: str) -> None:
    """A logit of -Infinity has no gradient, and the others have that of a batch without its class."""
    rng = np.random.default_rng(6)
    values = random_logits(case, rng, N, CLASSES)
    targets = random_truth(case, rng, N, CLASSES, truth)
    masked = np.zeros(values.shape, dtype=bool)
    masked[np.arange(N), (targets if truth == "hard" else np.arange(N)) - 1] = True
    if truth == "soft":
        targets = np.where(masked, 0, targets)
        targets = targets / np.sum(targets, axis=1, keepdims=True)
    values[masked] = -np.inf
    for option in ("plain", "weights", "label_smoothing"):
        options = options_of(option, case, "logits", N, CLASSES)
        found = scored(case, "logits", values, targets, **options)
        assert found.losses is not None
        assert found.gradients is not None
        finite = np.isfinite(found.losses)
        assert (found.gradients[masked] == 0)[finite].all()
        with np.errstate(invalid="ignore"):
            expected = np.where(masked, 0, differences(case, "logits", values, targets, options))
        np.testing.assert_allclose(
            found.gradients[finite], expected[finite] / found.denominator, rtol=1e-7, atol=2e-9
        )


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 9), spread=st.floats(0.1, 4))
def test_whatever_the_shape_and_the_values(case: Case, seed: int, classes: int, spread: float) -> None:
    """The same for batches that hypothesis looks for."""
    rng = np.random.default_rng(seed)
    values = random_logits(case, rng, 3, classes, spread)
    targets = random_truth(case, rng, 3, classes, "soft")
    assert_gradient(case, "logits", values, targets, {})


@pytest.mark.parametrize("truth", ["soft", "mixed"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_chain_rule_joins_the_three_inputs(case: Case, truth: str) -> None:
    """The gradients by p and by log p, taken through the softmax by hand, are those by logits."""
    rng = np.random.default_rng(7)
    logits = random_logits(case, rng, N, CLASSES)
    targets = random_truth(case, rng, N, CLASSES, truth)
    by = {form: scored(case, form, as_form(case, form, logits), targets) for form in FORMS}
    p = as_form(case, "probabilities", logits)
    assert by["logits"].losses is not None
    finite = np.isfinite(by["logits"].losses)
    for form, factor in (("probabilities", p), ("log_probabilities", np.ones_like(p))):
        gradients = by[form].gradients
        assert gradients is not None
        with np.errstate(invalid="ignore"):
            slopes = gradients * factor
            whole = 0.0 if case.loss.binary else np.sum(slopes, axis=-1, keepdims=True)
            expected = slopes * (1 - p) if case.loss.binary else slopes - p * whole
        found = by["logits"].gradients
        assert found is not None
        np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-9, atol=1e-12)
