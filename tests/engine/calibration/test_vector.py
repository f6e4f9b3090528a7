from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from lossmeter.engine import score
from lossmeter.engine.calibration import calibrate
from lossmeter.engine.calibration.vector import FLAT, RIDGE
from lossmeter.errors import InvalidInputError


def batch(seed: int, n: int = 600) -> tuple[Any, Any]:
    """Logits of which each class is off by a scale and a bias of its own."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (n, 3))
    targets = (softmax(honest, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return (honest - [0.5, -1, 0]) / [0.5, 1, 2], targets


def test_scales_and_biases_are_scipy_s_optimum() -> None:
    """The least ridged log loss is what SciPy's optimiser finds, with weights."""
    logits, targets = batch(0)
    weights = np.random.default_rng(1).exponential(size=600)
    found = calibrate(logits=logits, targets=targets, sample_weights=weights, method="vector")
    warm = calibrate(logits=logits, targets=targets, sample_weights=weights)
    assert warm.temperature is not None
    spread = np.sqrt(np.average(np.var(logits, axis=1), weights=weights))

    def loss(theta: Any) -> float:  # noqa: ANN401  an array
        z = logits * theta[:3] / spread + theta[3:]
        costs = logsumexp(z, axis=1) - z[np.arange(600), targets]
        away = theta - np.repeat([spread / warm.temperature, 0], 3)
        return float(np.average(costs, weights=weights) + RIDGE / 2 * away @ away)

    theirs = minimize(loss, np.repeat([1.0, 0.0], 3), method="BFGS", options={"gtol": 1e-8})
    assert found.scales is not None
    assert found.biases is not None
    assert np.concatenate([found.scales * spread, found.biases]) == pytest.approx(theirs.x, abs=1e-5)
    assert (found.gradient_norm or 0) <= FLAT
    after = score(
        logits=logits * found.scales + found.biases, targets=targets, sample_weights=weights, include=()
    ).loss
    assert found.log_loss_after == after
    assert found.miscalibration == pytest.approx(found.log_loss_before - (after or 0))
    assert found.temperature is None


def test_what_was_off_is_put_right() -> None:
    """With many rows the scales and biases that were taken away come back."""
    logits, targets = batch(2, 40_000)
    found = calibrate(logits=logits, targets=targets, method="vector")
    assert found.scales == pytest.approx([0.5, 1, 2], rel=0.1)
    assert found.biases == pytest.approx([0.5 + 1 / 6, -1 + 1 / 6, 1 / 6], abs=0.1)


def test_unit_of_the_logits_does_not_matter() -> None:
    """The ridge is in units of the logits' own spread."""
    logits, targets = batch(3)
    plain = calibrate(logits=logits, targets=targets, method="vector")
    scaled = calibrate(logits=logits * 2.0**100, targets=targets, method="vector")
    assert scaled.log_loss_after == pytest.approx(plain.log_loss_after, rel=1e-12)


def test_absent_and_masked_classes_have_an_optimum() -> None:
    """A class without an example, and one that is masked in some rows, are held by the ridge."""
    logits, targets = batch(4)
    logits[:, 2] = np.where(np.arange(600) % 3 == 0, -np.inf, logits[:, 2])
    found = calibrate(logits=logits, targets=np.minimum(targets, 1), method="vector")
    assert np.isfinite(found.log_loss_after or np.nan)
    assert (found.gradient_norm or 0) <= FLAT
    assert found.log_loss_after is not None
    assert found.log_loss_after < found.log_loss_before


def test_misleading_logits_can_be_turned_round() -> None:
    """Where no temperature helps, scales may be negative."""
    logits, targets = batch(5)
    found = calibrate(logits=-logits, targets=targets, method="vector")
    assert calibrate(logits=-logits, targets=targets).temperature is None
    assert found.scales is not None
    assert (found.scales < 0).all()


def test_separable_rows_have_a_reason() -> None:
    """What has no temperature towards 0 has no scales either."""
    found = calibrate(logits=[[3.0, 1.0], [2.0, 4.0]], targets=[0, 1], method="vector")
    assert found.scales is found.biases is None
    assert "largest logit" in found.undefined["scales"]


def test_unknown_method_is_refused() -> None:
    """The method is one of two."""
    with pytest.raises(InvalidInputError, match="one of temperature, vector"):
        calibrate(logits=[[0.0, 1.0]], targets=[0], method="platt")  # type: ignore[arg-type]
