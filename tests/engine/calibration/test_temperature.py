from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from lossmeter.engine import divergence, measure, score
from lossmeter.engine.calibration import calibrate


def batch(seed: int, n: int = 400, classes: int = 4, heat: float = 1.8) -> tuple[Any, Any]:
    """Logits that are ``heat`` times too sure, and their truths."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, (n, classes))
    return logits, (softmax(logits / heat, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


def slope(beta: float, logits: Any, shares: Any) -> float:  # noqa: ANN401  arrays
    """The derivative of the log loss by 1/T, as the textbook has it."""
    known = np.where(np.isinf(logits), 0, logits)
    p = softmax(beta * logits, axis=1)
    return float(np.sum(shares.sum(axis=1) * (p * known).sum(axis=1) - (shares * known).sum(axis=1)))


@pytest.mark.parametrize("kind", ["plain", "weighted", "soft", "masked"])
def test_temperature_is_scipy_s_root(kind: str) -> None:
    """The optimum is that of SciPy's root finder on the textbook's derivative, to 1e-10."""
    logits, targets = batch(1)
    rng = np.random.default_rng(2)
    said: dict[str, Any] = {"targets": targets}
    shares = np.eye(4)[targets]
    if kind == "weighted":
        said |= {"class_weights": [1, 2, 0.5, 3], "sample_weights": rng.exponential(size=400)}
        shares = shares * said["class_weights"] * said["sample_weights"][:, None]
    if kind == "soft":
        said["targets"] = shares = 0.9 * shares + 0.1 * rng.dirichlet(np.ones(4), 400)
    if kind == "masked":
        logits[(rng.random(logits.shape) < 0.2) & (shares == 0)] = -np.inf
    expected = 1 / brentq(slope, 1e-3, 1e3, (logits, shares), xtol=1e-15, rtol=1e-14)
    assert calibrate(logits=logits, **said).temperature == pytest.approx(expected, rel=1e-10)


def test_losses_are_those_of_the_engine() -> None:
    """Before and after are what ``score`` says, and the difference is the mean KL of the two predictions."""
    logits, targets = batch(3)
    found = calibrate(logits=logits, targets=targets)
    assert found.temperature is not None
    scored = [
        score(logits=logits, targets=targets, temperature=each, include=()).loss
        for each in (1.0, found.temperature)
    ]
    assert [found.log_loss_before, found.log_loss_after] == scored
    assert found.miscalibration == pytest.approx(
        found.log_loss_before - (found.log_loss_after or 0), rel=1e-10
    )
    apart = divergence(p_logits=logits / found.temperature, q_logits=logits).kl_divergence
    assert found.miscalibration == pytest.approx(np.mean(apart), rel=1e-12)


def test_a_tiny_miscalibration_keeps_its_digits() -> None:
    """At the optimum times 1 + 1e-7 there is 1e-15 to remove, far below the last digit of the loss."""
    logits, targets = batch(4)
    best = calibrate(logits=logits, targets=targets).temperature
    assert best is not None
    again = calibrate(logits=logits / best * (1 + 1e-7), targets=targets)
    p = softmax(logits / best, axis=1)
    spread = np.mean((p * logits**2).sum(axis=1) - (p * logits).sum(axis=1) ** 2) / best**2
    assert again.miscalibration == pytest.approx(spread * 1e-14 / 2, rel=1e-4)


@pytest.mark.parametrize("scale", [2.0**-600, 2.0**-30, 2.0**30, 2.0**600])
def test_unit_of_the_logits_does_not_matter(scale: float) -> None:
    """Logits of any magnitude have the temperature that their scale says."""
    logits, targets = batch(5)
    plain, scaled = (calibrate(logits=each, targets=targets) for each in (logits, logits * scale))
    assert plain.temperature is not None
    assert scaled.temperature == pytest.approx(plain.temperature * scale, rel=1e-10)
    assert scaled.iterations < 20


def test_all_kinds_of_input_agree() -> None:
    """Probabilities and log-probabilities are scaled by their logarithms; float32 is read exactly."""
    logits, targets = batch(6)
    expected = calibrate(logits=logits, targets=targets).temperature
    given: list[dict[str, Any]] = [
        {"probabilities": softmax(logits, axis=1)},
        {"log_probabilities": log_softmax(logits, axis=1)},
        {"logits": logits.astype(np.float32)},
    ]
    for said in given:
        assert calibrate(**said, targets=targets).temperature == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_one_number_per_row_is_two_classes(soft: bool) -> None:  # noqa: FBT001  a case
    """Float[n] has the temperature of [0, z], whatever it was sent as, ignored rows left out."""
    rng = np.random.default_rng(7)
    z = rng.normal(0, 3, 300)
    yes = 1 / (1 + np.exp(-z / 2))
    targets = np.clip(yes + rng.normal(0, 0.1, 300), 0, 1) if soft else (rng.random(300) < yes) * 1.0
    two = np.stack([0 * z, z], axis=1)
    truth = np.stack([1 - targets, targets], axis=1)
    expected = calibrate(logits=two, targets=truth, class_weights=[1, 2])
    p = 1 / (1 + np.exp(-z))
    with_ignored = np.append(targets, -7.0)
    for name, values in {"logits": z, "probabilities": p, "log_probabilities": np.log(p)}.items():
        said: dict[str, Any] = {name: np.append(values, np.nan)}
        found = calibrate(**said, targets=with_ignored, ignore_index=-7, class_weights=[1, 2])
        assert found.temperature == pytest.approx(expected.temperature, rel=1e-9)
        assert found.log_loss_after == pytest.approx(expected.log_loss_after, rel=1e-12)
        assert (found.count, found.ignored) == (300, 1)


def test_ignored_and_weightless_rows_do_not_count() -> None:
    """Rows of NaN that are ignored, and rows of weight 0 with an impossible truth, change nothing."""
    logits, targets = batch(8)
    more = np.concatenate([logits, np.full((1, 4), np.nan), [[0.0, -np.inf, 1, 2]]])
    found = calibrate(
        logits=more, targets=[*targets, -1, 1], ignore_index=-1, sample_weights=[1.0] * 401 + [0.0]
    )
    assert (
        found.temperature == calibrate(logits=logits, targets=targets, sample_weights=[1.0] * 400).temperature
    )


@pytest.mark.parametrize(
    ("logits", "targets", "why"),
    [
        ([[3.0, 1], [2, 4]], [0, 1], "largest logit"),
        ([[3.0, 3], [2, 4]], [0, 1], "largest logit"),
        ([[3.0, 1], [2, 4]], [1, 0], "no larger logits"),
        ([[3.0, 1], [2, 4]], [0, 0], "no larger logits"),
        ([[3.0, -np.inf], [2, 4]], [1, 1], "probability 0"),
        ([[3.0, 1.0]], [-1], "no row"),
    ],
)
def test_where_there_is_no_optimum_the_reason_is_told(logits: Any, targets: Any, why: str) -> None:  # noqa: ANN401
    """Separable, misleading, impossible and absent truths have no temperature, and say so instead."""
    found = calibrate(logits=logits, targets=targets, ignore_index=-1)
    assert found.temperature is found.log_loss_after is found.miscalibration is None
    assert why in found.undefined["temperature"]
    assert {"temperature", "log_loss_after", "miscalibration"} <= set(found.undefined)


def test_equal_logits_stay_as_they_are() -> None:
    """Where every temperature does, it is 1, and nothing is removed."""
    found = calibrate(logits=[[2.0, 2.0], [1.0, 1.0]], targets=[0, 1])
    assert (found.temperature, found.miscalibration) == (1.0, 0.0)


@given(
    gaps=st.lists(st.floats(-5, 5).filter(bool), min_size=1, max_size=12),
    shares=st.lists(st.floats(0.05, 0.95), min_size=12, max_size=12),
)
def test_any_batch_has_the_best_temperature_or_a_reason(gaps: list[float], shares: list[float]) -> None:
    """No other temperature has a lower log loss."""
    logits = np.stack([np.zeros(len(gaps)), gaps], axis=1)
    truth = np.stack([1 - np.array(shares), shares], axis=1)[: len(gaps)]
    found = calibrate(logits=logits, targets=truth)
    if found.temperature is None:
        assert found.undefined
        return
    for factor in (1e-2, 0.9, 1.1, 1e2):
        other = score(logits=logits, targets=truth, temperature=found.temperature * factor, include=())
        assert (other.loss or 0) >= (found.log_loss_after or 0) * (1 - 1e-14)


def test_scikit_learn_finds_the_same() -> None:
    """CalibratedClassifierCV(method="temperature") agrees to the accuracy of its optimiser."""
    calibration = pytest.importorskip("sklearn.calibration")
    if not hasattr(calibration, "_TemperatureScaling"):
        pytest.skip("this scikit-learn has no temperature scaling")
    logits, targets = batch(9)
    theirs = calibration._TemperatureScaling().fit(logits, targets)  # noqa: SLF001  it has no public door
    assert calibrate(logits=logits, targets=targets).temperature == pytest.approx(1 / theirs.beta_, rel=1e-4)


def test_threads_change_no_bit() -> None:
    """However the blocks are shared out, the answer is the same."""
    logits, targets = batch(10, n=60_000)
    one, two = (calibrate(logits=logits, targets=targets, threads=each) for each in (1, 2))
    assert (one.temperature, one.miscalibration) == (two.temperature, two.miscalibration)


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_reliability_is_told_before_and_after(binning: Any) -> None:  # noqa: ANN401  a literal
    """The curves are those of ``measure``, and after scaling confidence is nearer to accuracy."""
    logits, targets = batch(11, n=4000, heat=3.0)
    found = calibrate(logits=logits, targets=targets, bins=10, binning=binning)
    said: dict[str, Any] = {"metrics": ["reliability_curve"], "bins": 10, "binning": binning}
    curves = (found.reliability_curve_before, found.reliability_curve_after)
    distances = []
    for curve, heat in zip(curves, (1.0, found.temperature or 0.0), strict=True):
        expected = measure(logits=logits, targets=targets, temperature=heat, **said).metrics[
            "reliability_curve"
        ]
        assert isinstance(curve, dict)
        assert isinstance(expected, dict)
        assert all(np.array_equal(curve[part], expected[part]) for part in expected)
        distances.append(np.average(np.abs(curve["confidence"] - curve["accuracy"]), weights=curve["weight"]))
    assert distances[1] < distances[0] / 3


def test_soft_truths_have_no_reliability_and_say_so() -> None:
    """A truth that is shared has a temperature, but no accuracy."""
    found = calibrate(logits=[[2.0, 0.0], [0.0, 1.0]], targets=[[0.7, 0.3], [0.4, 0.6]])
    assert found.temperature is not None
    assert found.reliability_curve_before is found.reliability_curve_after is None
    assert {"reliability_curve_before", "reliability_curve_after"} == set(found.undefined)
