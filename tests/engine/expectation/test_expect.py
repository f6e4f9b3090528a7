from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from lossmeter.engine import LOSSES, calibrate, expect, score
from lossmeter.errors import InvalidInputError

OF_CLASSES = [name for name, loss in LOSSES.items() if not loss.binary and name != "reverse_kl"]


def logits(seed: int, n: int = 5, classes: int = 3) -> Any:  # noqa: ANN401  an array
    """Some predictions."""
    return np.random.default_rng(seed).normal(0, 2, (n, classes))


def enumerated(p: Any, loss: Any, **said: Any) -> tuple[float, float]:  # noqa: ANN401  arrays and options
    """Mean and deviation over every truth that the rows may have, by brute force."""
    n, classes = p.shape
    truths = np.array(list(itertools.product(range(classes), repeat=n)))
    chance = np.prod(p[np.arange(n), truths], axis=1)
    means = np.array(
        [score(probabilities=p, targets=each, loss=loss, include=(), **said).loss for each in truths]
    )
    mean = float(chance @ means)
    return mean, float(np.sqrt(chance @ (means - mean) ** 2))


@pytest.mark.parametrize("loss", OF_CLASSES)
def test_expectation_is_that_over_every_possible_truth(loss: str) -> None:
    """For every loss of classes mean and deviation are what brute force says, with sample weights."""
    p = softmax(logits(0, 4), axis=1)
    p /= p.sum(axis=1, keepdims=True)
    weights = [1.0, 2.0, 0.0, 0.5]
    found = expect(probabilities=p, losses=[loss], sample_weights=weights)[loss]
    mean, deviation = enumerated(p, loss, sample_weights=weights)
    assert found.expected == pytest.approx(mean, rel=1e-12)
    assert found.standard_deviation == pytest.approx(deviation, rel=1e-12)
    assert found.realised is found.z is None


def test_class_weights_make_a_ratio_whose_deviation_is_of_first_order() -> None:
    """With class weights the mean is of a ratio: over many draws it is as said, to a few percent."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1.5, (400, 3))
    p = softmax(x, axis=1)
    weights = [0.5, 1.0, 4.0]
    found = expect(logits=x, losses=["log_loss"], class_weights=weights)["log_loss"]
    drawn = []
    for _ in range(2000):
        truth = np.minimum((p.cumsum(axis=1) < rng.random((400, 1))).sum(axis=1), 2)
        w = np.array(weights)[truth]
        drawn.append(np.average(-np.log(p[np.arange(400), truth]), weights=w))
    assert np.mean(drawn) == pytest.approx(
        found.expected, abs=4 * found.standard_deviation / 2000**0.5 + 0.002
    )
    assert np.std(drawn) == pytest.approx(found.standard_deviation, rel=0.06)


def test_parameters_and_names_are_as_in_score() -> None:
    """Losses by name, by the metric's name, as an object and as a loss; each under the name it was asked by."""
    x = logits(2)
    found = expect(
        logits=x, losses=["log_loss", "squared_error", {"name": "focal", "gamma": 0.5, "alpha": [1, 2, 3]}]
    )
    assert list(found) == ["log_loss", "squared_error", "focal"]
    p = softmax(x, axis=1)
    focal = [1, 2, 3] * (1 - p) ** 0.5 * -np.log(p)
    assert found["focal"].expected == pytest.approx(np.mean(np.sum(p * focal, axis=1)), rel=1e-12)
    assert list(expect(logits=x)) == ["log_loss", "brier_score", "focal"]


def test_log_loss_is_expected_to_be_the_entropy() -> None:
    """Of a row [40, 0, 0] it is 3.4e-16, and its deviation 4e-8: every digit is there."""
    found = expect(logits=[[40.0, 0.0, 0.0]], losses=["log_loss", "brier_score"])
    with mpmath.workdps(50):
        masses = [mpmath.e**40, 1, 1]
        p = [mass / sum(masses) for mass in masses]
        mean = -sum(each * mpmath.log(each) for each in p)
        variance = sum(each * (mpmath.log(each) + mean) ** 2 for each in p)
        squares = [(1 - each) ** 2 + sum(other**2 for other in p) - each**2 for each in p]
        brier = sum(each * square for each, square in zip(p, squares, strict=True))
        spread = sum(each * (square - brier) ** 2 for each, square in zip(p, squares, strict=True))
        expected = [float(each) for each in (mean, mpmath.sqrt(variance), brier, mpmath.sqrt(spread))]
    told = [found["log_loss"].expected, found["log_loss"].standard_deviation]
    told += [found["brier_score"].expected, found["brier_score"].standard_deviation]
    assert told == pytest.approx(expected, rel=1e-13)


def test_what_is_impossible_adds_nothing() -> None:
    """Masked classes and probabilities of 0 cost nothing; a sure row has neither loss nor deviation."""
    masked = expect(logits=[[1.0, 0.0, -np.inf]])
    plain = expect(logits=[[1.0, 0.0]])
    for name, each in masked.items():
        assert each == plain[name]
    sure = expect(probabilities=[[1.0, 0.0]])
    assert all((each.expected, each.standard_deviation) == (0, 0) for each in sure.values())


def test_equal_classes_have_no_deviation() -> None:
    """Whatever the truth, the loss is the same: nothing is left but rounding, of which no z is made."""
    found = expect(logits=np.zeros((4, 7)), targets=[0, 1, 2, 3])
    assert all(each.standard_deviation < 1e-15 for each in found.values())
    assert all(each.z == 0 for each in found.values())


def test_z_is_infinite_where_there_was_no_doubt() -> None:
    """A certain row that turns out otherwise is infinitely far from what was expected."""
    found = expect(probabilities=[[1.0, 0.0]], targets=[1])
    assert found["log_loss"].z == found["brier_score"].z == np.inf
    assert found["log_loss"].realised == np.inf


def test_z_of_honest_probabilities_is_standard_normal() -> None:
    """Over 600 batches of drawn truths z has mean 0 and deviation 1, and twice too sure gives a large z."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1.5, (300, 4))
    p = softmax(x, axis=1)
    z: dict[str, list[float]] = {"log_loss": [], "brier_score": [], "focal": []}
    for _ in range(600):
        truth = np.minimum((p.cumsum(axis=1) < rng.random((300, 1))).sum(axis=1), 3)
        for name, each in expect(logits=x, targets=truth).items():
            z[name].append(each.z or 0.0)
    for values in z.values():
        assert abs(np.mean(values)) < 0.15
        assert 0.9 < np.std(values) < 1.1
    assert (expect(logits=2 * x, targets=truth)["log_loss"].z or 0) > 5
    assert (expect(logits=x / 2, targets=truth)["log_loss"].z or 0) < -5


def test_realised_is_what_score_says() -> None:
    """With targets, weights and ignored rows the realised loss is that of ``score``."""
    x = logits(4, 50)
    x[7] = np.nan
    targets = np.random.default_rng(5).integers(0, 3, 50)
    targets[7] = -1
    said: dict[str, Any] = {
        "class_weights": "balanced",
        "sample_weights": np.arange(50.0),
        "ignore_index": -1,
    }
    found = expect(logits=x, targets=targets, temperature=1.5, losses=["log_loss", "poly1"], **said)
    for name, loss in (("log_loss", "cross_entropy"), ("poly1", "poly1")):
        scored = score(logits=x, targets=targets, temperature=1.5, loss=loss, include=(), **said)
        assert found[name].realised == scored.loss
        assert np.isfinite(found[name].expected)


def test_belief_can_be_recalibrated_without_touching_what_is_scored() -> None:
    """With the temperature of ``calibrate`` the expected loss of too sure a model is what it will really be."""
    rng = np.random.default_rng(6)
    honest = rng.normal(0, 1.5, (20_000, 3))
    truth = np.minimum((softmax(honest, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1), 2)
    sure = 2.5 * honest
    heat = calibrate(logits=sure, targets=truth).temperature
    given: list[dict[str, Any]] = [
        {"logits": sure},
        {"log_probabilities": log_softmax(sure, axis=1)},
        {"probabilities": softmax(sure, axis=1)},
    ]
    for said in given:
        found = expect(**said, targets=truth, belief_temperature=heat)["log_loss"]
        assert abs(found.z or 0) < 3
        assert found.realised == pytest.approx(score(logits=sure, targets=truth, include=()).loss, rel=1e-9)
        assert (expect(**said, targets=truth)["log_loss"].z or 0) > 30


def test_one_number_per_row_is_two_classes() -> None:
    """Float[n] is as [0, z]; binary losses are the same losses, with the weights of truth 0 and 1."""
    z = np.array([-3.0, 0.2, 50.0, 700.0])
    columns = np.stack([0 * z, z], axis=1)
    weights: dict[str, Any] = {"class_weights": [1.0, 2.0], "sample_weights": [1.0, 2.0, 3.0, 4.0]}
    wide = expect(logits=columns, losses=["log_loss", "focal"], targets=[0, 1, 1, 1], **weights)
    names = ["log_loss", "focal", "binary_cross_entropy", "binary_focal"]
    slim = expect(logits=z, losses=names, targets=[0, 1, 1, 1], **weights)
    for name, other in zip(names, ["log_loss", "focal"] * 2, strict=True):
        for part in ("expected", "standard_deviation", "realised", "z"):
            assert getattr(slim[name], part) == pytest.approx(getattr(wide[other], part), rel=1e-12)
    alpha = {"name": "binary_focal", "alpha": 0.25, "gamma": 1.0}
    p = 1 / (1 + np.exp(-z[:2]))
    exact = p * 0.25 * (1 - p) * -np.log(p) + (1 - p) * 0.75 * p * -np.log(1 - p)
    assert expect(logits=z[:2], losses=[alpha])["binary_focal"].expected == pytest.approx(
        np.mean(exact), rel=1e-12
    )
    for kind, values in {"probabilities": p, "log_probabilities": np.log(p)}.items():
        said: dict[str, Any] = {kind: values}
        one, two = expect(**said)["log_loss"], expect(logits=z[:2])["log_loss"]
        assert one.expected == pytest.approx(two.expected, rel=1e-12)
        assert one.standard_deviation == pytest.approx(two.standard_deviation, rel=1e-12)


def test_rows_without_weight_promise_nothing() -> None:
    """Where nothing weighs anything, all is 0, as in ``score``."""
    found = expect(logits=logits(7, 2), sample_weights=[0.0, 0.0], targets=[0, 1])["log_loss"]
    assert (found.expected, found.standard_deviation, found.realised, found.z) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"losses": []}, "/losses"),
        ({"losses": "focal"}, "/losses"),
        ({"losses": ["focal", "hinge"]}, "/losses/1"),
        ({"losses": ["log_loss", "log_loss"]}, "/losses/1"),
        ({"losses": ["reverse_kl"]}, "/losses/0"),
        ({"losses": ["binary_focal"]}, "/losses/0"),
        ({"losses": [{"name": "focal", "gamma": -1}]}, "/losses/0/gamma"),
        ({"losses": [{"name": "focal", "alpha": [1, 2]}]}, "/losses/0/alpha"),
        ({"class_weights": "balanced"}, "/class_weights"),
        ({"ignore_index": 0}, "/ignore_index"),
        ({"belief_temperature": 0.0}, "/belief_temperature"),
        ({"temperature": -1.0}, "/temperature"),
        ({"logits": [[0.0, np.nan, 1.0]]}, "/logits/0/1"),
        ({"logits": None, "probabilities": [0.2, 1.5]}, "/probabilities/1"),
        ({"logits": [0.5, 1.0], "targets": [0, 3]}, "/targets/1"),
    ],
)
def test_what_has_no_expectation_is_refused(said: dict[str, Any], path: str) -> None:
    """Losses, weights, temperatures, predictions and truths are checked, with their pointers."""
    with pytest.raises(InvalidInputError) as refused:
        expect(**({"logits": logits(8, 2)} | said))
    assert refused.value.problems[0].pointer == path


def test_divergences_over_many_classes_are_refused() -> None:
    """What would take a pass for every class is told to be too much."""
    with pytest.raises(InvalidInputError, match="at most 100 classes"):
        expect(logits=np.zeros((1, 101)), losses=["jensen_shannon"])
