"""The face of the engine: the registry of losses, what an answer carries, and that calls do not disturb each other."""

from __future__ import annotations

import dataclasses
import math
import threading
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from engine.cases import (
    CASES,
    DEFAULTS,
    FORMS,
    Case,
    arrays_of,
    as_form,
    assert_close,
    assert_same_bits,
    random_logits,
    random_truth,
    scored,
)
from lossmeter.engine import LOSSES, Loss, Parameter, make_loss, score
from lossmeter.engine.losses import BinaryLoss, TargetLoss
from lossmeter.engine.options import PARTS

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome

CONTRACT = {
    "cross_entropy",
    "focal",
    "binary_cross_entropy",
    "binary_focal",
    "squared_error",
    "kl_divergence",
    "reverse_kl",
    "jensen_shannon",
    "poly1",
    "generalized_cross_entropy",
}


def test_the_registry_holds_every_loss_of_the_contract() -> None:
    """Every name that callers rely on is there, under the name that the loss gives itself."""
    assert set(LOSSES) >= CONTRACT
    for name, loss in LOSSES.items():
        assert loss.name == name
        assert loss.binary == name.startswith("binary_")


@pytest.mark.parametrize("option", ["label_smoothing", "temperature", "epsilon"])
@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "jensen_shannon", "binary_cross_entropy"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.array])
def test_options_of_numpy_count_as_the_numbers_they_are(loss: str, option: str, kind: Any) -> None:  # noqa: ANN401
    """A scalar of a narrow dtype makes nothing narrow and warns of nothing: the answer is that to Python's float."""
    said: dict[str, Any] = {
        "logits": [[3.0, 1.0, -2.0], [0.1, -4.0, 0.2]],
        "targets": [[0.1, 0.9, 0], [0, 0, 1]],
        "loss": loss,
        "include": PARTS,
    }
    value = kind(0.3)
    found, expected = score(**said | {option: value}), score(**said | {option: float(value)})
    assert found.loss == expected.loss
    assert_same_bits(arrays_of(found), arrays_of(expected))


@pytest.mark.parametrize("index", [np.int8(-1), np.int64(-1), -1.0, np.float32(-1)])
def test_an_ignored_index_of_any_kind(index: Any) -> None:  # noqa: ANN401  a whole number
    """A whole number is one, whatever its type."""
    assert score(logits=[[0.0, 1.0], [1.0, 0.0]], targets=[-1, 0], ignore_index=index).ignored == 1


def test_the_registry_cannot_be_changed() -> None:
    """No caller can add, replace or remove a loss, or change the parameters of one."""
    registry: Any = LOSSES
    with pytest.raises(TypeError):
        registry["mine"] = LOSSES["focal"]
    focal: Any = make_loss("focal")
    with pytest.raises(dataclasses.FrozenInstanceError):
        focal.gamma = 3.0


@pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)
def test_every_loss_explains_itself(loss: type[Loss]) -> None:
    """Title, summary, formula and reference are there, and every parameter has a description and a default in range."""
    assert all((loss.title, loss.summary, loss.formula, loss.reference, loss.__doc__))
    assert "Source:" in str(loss.__doc__)
    assert loss.summary.endswith(".")
    for name, about in loss.parameters().items():
        assert about.name == name
        assert about.description.endswith(".")
        assert about.scalar or about.vector
        assert about.default is None or about.check(about.default) == about.default


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, "a finite number"),
        ({"minimum": 0}, "a number >= 0"),
        ({"minimum": 0, "exclusive_minimum": True}, "a number > 0"),
        ({"maximum": 1}, "a number <= 1"),
        ({"minimum": 0, "maximum": 1, "exclusive_maximum": True}, "a number >= 0 and < 1"),
    ],
)
def test_the_range_of_a_parameter_in_words(bounds: dict[str, Any], words: str) -> None:
    """What refusals and the documentation say."""
    assert Parameter(description="A parameter.", default=0.5, **bounds).range == words


def test_a_loss_may_be_named_described_or_made() -> None:
    """A name, a mapping and an instance are the same loss."""
    said: dict[str, Any] = {"logits": [[1.0, 0.0]], "targets": [0]}
    made = make_loss({"name": "focal", "gamma": 2.0})
    losses = {
        score(loss=loss, **said).loss
        for loss in ("focal", {"name": "focal"}, {"name": "focal", "gamma": 2}, made)
    }
    assert len(losses) == 1


@pytest.mark.parametrize("truth", ["hard", "soft", "mixed"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", DEFAULTS, ids=str)
def test_a_part_does_not_depend_on_the_others(case: Case, form: str, truth: str) -> None:
    """Asking for fewer parts gives the same bits for those, None for the rest, and the same loss."""
    rng = np.random.default_rng(1)
    values = as_form(case, form, random_logits(case, rng, 6, 4))
    targets = random_truth(case, rng, 6, 4, truth)
    whole = scored(case, form, values, targets)
    everything = arrays_of(whole)
    for count in range(len(PARTS)):
        for include in combinations(PARTS, count):
            scores = scored(case, form, values, targets, include=include)
            assert scores.loss == whole.loss
            found = arrays_of(scores)
            assert {name.split(".")[0] for name in found} == set(include)
            assert_same_bits(found, {name: everything[name] for name in found})


def test_shapes_are_those_of_the_input() -> None:
    """Gradients, contributions and probabilities have the shape of the array as sent, losses one entry per row."""
    for case in CASES:
        rng = np.random.default_rng(2)
        values = random_logits(case, rng, 3, 4)
        scores = scored(case, "logits", values, random_truth(case, rng, 3, 4))
        for array in (scores.gradients, scores.contributions, scores.probabilities):
            assert array is not None
            assert array.shape == values.shape
        assert scores.losses is not None
        assert scores.kl is not None
        assert scores.losses.shape == scores.kl.kl_divergence.shape == (3,)
        assert (scores.count, scores.ignored, scores.reduction, scores.unit) == (3, 0, "mean", "nats")


def test_probabilities_are_those_of_the_input() -> None:
    """Softmax or sigmoid of logits, the exponential of logarithms, and probabilities as they were sent."""
    for case in DEFAULTS:
        rng = np.random.default_rng(3)
        logits = random_logits(case, rng, 5, 4)
        p = as_form(case, "probabilities", logits)
        for truth in ("hard", "soft"):
            targets = random_truth(case, rng, 5, 4, truth)
            for form in FORMS:
                sent = as_form(case, form, logits)
                found = scored(case, form, sent, targets, epsilon=0.2, label_smoothing=0.1).probabilities
                assert found is not None
                np.testing.assert_allclose(found, p, rtol=1e-14)
                if form == "probabilities":
                    np.testing.assert_array_equal(found, sent)


def test_answers_do_not_share_memory_with_the_input_or_each_other() -> None:
    """Writing into an answer changes neither what was sent nor what was answered before."""
    for case in DEFAULTS:
        rng = np.random.default_rng(4)
        for classes in (4, 70):
            values = as_form(case, "probabilities", random_logits(case, rng, 5, classes))
            targets = random_truth(case, rng, 5, classes, "soft")
            weights = np.ones(case.weighted_classes(classes))
            first = scored(case, "probabilities", values, targets, class_weights=weights)
            kept = {name: array.copy() for name, array in arrays_of(first).items()}
            sent = values.copy(), targets.copy(), weights.copy()
            second = scored(case, "probabilities", values, targets, class_weights=weights)
            for array in arrays_of(second).values():
                array[...] = -7
            assert_same_bits(arrays_of(first), kept)
            for before, after in zip(sent, (values, targets, weights), strict=True):
                np.testing.assert_array_equal(before, after)


def test_calls_from_many_threads() -> None:
    """Scorings at the same time, of several blocks each, give what they give alone."""
    jobs = []
    for number, case in enumerate(DEFAULTS):
        rng = np.random.default_rng(number)
        values = random_logits(case, rng, 30_000, 4)
        jobs.append((case, values, random_truth(case, rng, 30_000, 4, "mixed")))
    alone = [arrays_of(scored(case, "logits", values, targets)) for case, values, targets in jobs]
    together: list[Any] = [None] * len(jobs)

    def work(number: int) -> None:
        case, values, targets = jobs[number]
        together[number] = arrays_of(scored(case, "logits", values, targets, threads=3))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one, other in zip(alone, together, strict=True):
        assert_same_bits(one, other)


class _Surprise(TargetLoss):
    """φ = (log p)², a loss that no registry knows."""

    name: ClassVar[str] = "surprise"

    def phi(self, outcome: Outcome) -> Floats:
        """(log p)²."""
        return outcome.log_p**2

    def slope(self, outcome: Outcome) -> Floats:
        """2 log p."""
        return 2 * outcome.log_p


class _BinarySurprise(BinaryLoss):
    """The same of both outcomes of every label."""

    name: ClassVar[str] = "binary_surprise"

    @property
    def of_outcome(self) -> TargetLoss:
        """(log p)²."""
        return _Surprise()


def test_a_loss_of_ones_own() -> None:
    """An instance of a class outside the registry is scored like any other: two lines of calculus are enough."""
    p = np.array([[0.25, 0.75]])
    over_classes = score(logits=np.log(p), targets=[0], loss=_Surprise())
    assert over_classes.loss == pytest.approx(math.log(4) ** 2, rel=1e-15)
    slope = -2 * math.log(4)
    assert_close(over_classes.gradients, [[0.75 * slope, -0.75 * slope]], rtol=1e-14)
    over_labels = score(probabilities=p, targets=[[0, 1]], loss=_BinarySurprise())
    assert_close(over_labels.losses, [2 * math.log(0.75) ** 2], rtol=1e-14)
    assert "surprise" not in LOSSES


def test_a_loss_of_no_kind_is_a_mistake_of_the_programmer() -> None:
    """What is neither of targets, of divergences nor binary cannot be scored, and is no fault of the input."""
    with pytest.raises(TypeError, match="Nothing"):
        score(logits=[[0.0]], targets=[0], loss=type("Nothing", (Loss,), {})())


def test_a_scheme_counts_the_shares_of_soft_targets() -> None:
    """The scheme "balanced" on distributions counts Σ t of every class."""
    scores = score(logits=np.zeros((2, 2)), targets=[[0.5, 0.5], [1.0, 0.0]], class_weights="balanced")
    assert_close(scores.class_weights, [2 / 3, 2], rtol=1e-15)
