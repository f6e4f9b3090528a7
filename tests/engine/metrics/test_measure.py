"""measure(): the metrics of what was sent, in each of its forms, against the slow evidence of the same rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.metrics.batches import Sample, ordinary, softmax, tied
from engine.metrics.observed import observed
from engine.metrics.test_laws import parts
from lossmeter.engine import METRICS, measure, score
from lossmeter.engine.metrics import compute
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.evidence import Binning, Evidence
    from lossmeter.engine.metrics import Answer

every_binning = pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])


def assert_measured(found: Mapping[str, Answer], undefined: Mapping[str, str], evidence: Evidence) -> None:
    """The metrics of this evidence."""
    wanted, missing = compute(evidence, list(found) + [name for name in undefined if name in METRICS])
    assert undefined == missing
    numbers = dict(parts(wanted))
    for name, value in parts(found):
        np.testing.assert_allclose(value, numbers[name], rtol=1e-12, atol=1e-13, err_msg=name)


@every_binning
@pytest.mark.parametrize("form", ["logits", "probabilities", "log_probabilities"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_form_of_a_batch(form: str, weighted: bool, binning: Binning) -> None:  # noqa: FBT001
    """Logits, probabilities and log-probabilities of the same rows have the same metrics."""
    sample = ordinary(90, 5).weighted() if weighted else ordinary(90, 5)
    logits = np.log(sample.probabilities)
    sent: dict[str, Any] = {
        "logits": 2 * (logits + 3.0),
        "probabilities": sample.probabilities,
        "log_probabilities": logits,
    }
    measured = measure(
        **{form: sent[form]},
        targets=sample.targets,
        sample_weights=sample.weights,
        temperature=2.0 if form == "logits" else 1.0,
        bins=10,
        binning=binning,
        k=2,
    )
    assert list(measured.metrics) == list(METRICS)
    assert measured.count == 90
    assert_measured(measured.metrics, measured.undefined, sample.evidence(binning))


@every_binning
def test_ties_and_edges(binning: Binning) -> None:
    """Probabilities in eighths: ties everywhere, confidences of 1 and on the edges of bins."""
    sample = tied(80, 3).weighted()
    measured = measure(
        probabilities=sample.probabilities,
        targets=sample.targets,
        sample_weights=sample.weights,
        bins=8,
        binning=binning,
        k=2,
    )
    evidence = observed(sample.probabilities, sample.targets, sample.weights, bins=8, k=2, binning=binning)
    assert_measured(measured.metrics, measured.undefined, evidence)


def test_ignored_rows_and_class_weights() -> None:
    """Ignored rows count nowhere; a row weighs what its class weighs, times its own weight."""
    sample = ordinary(60, 3).weighted()
    assert sample.weights is not None
    classes = np.array([0.5, 2.0, 1.25])
    ignored = np.arange(60) % 7 == 0
    logits = np.log(sample.probabilities)
    logits[3] = np.where(ignored[3], np.nan, logits[3])
    measured = measure(
        logits=logits,
        targets=np.where(ignored, -1, sample.targets),
        sample_weights=sample.weights,
        class_weights=classes,
        ignore_index=-1,
        bins=10,
        k=2,
    )
    weights = (sample.weights * classes[sample.targets])[~ignored]
    rest = Sample(sample.probabilities[~ignored], sample.targets[~ignored], weights)
    assert (measured.count, measured.ignored) == (51, 9)
    assert measured.weight == pytest.approx(weights.sum())
    assert measured.class_weights is not None
    assert_measured(measured.metrics, measured.undefined, rest.evidence())


@pytest.mark.parametrize("form", ["logits", "probabilities", "log_probabilities"])
def test_one_number_per_row_is_two_classes(form: str) -> None:
    """Float[n]: that of class 1; the metrics are those of [1 − p₁, p₁], every one of them."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 70)
    targets = (rng.random(70) < 1 / (1 + np.exp(-z))).astype(int)
    p = 1 / (1 + np.exp(-z))
    sent = {"logits": z, "probabilities": p, "log_probabilities": np.log(p)}[form]
    measured = measure(**{form: sent}, targets=targets, bins=10, k=2)  # type: ignore[arg-type]
    evidence = Sample(np.stack([1 - p, p], axis=1), targets).evidence()
    assert_measured(measured.metrics, measured.undefined, evidence)


def test_soft_truths() -> None:
    """Scores and skills, and why there is nothing else."""
    rng = np.random.default_rng(1)
    p, truth = rng.dirichlet(np.ones(4), 30), rng.dirichlet(np.ones(4), 30)
    weights = rng.uniform(0, 2, 30)
    measured = measure(probabilities=p, targets=truth, sample_weights=weights, bins=10, k=2)
    assert "brier_skill" in measured.metrics
    assert_measured(measured.metrics, measured.undefined, observed(p, truth, weights, bins=10, k=2))


def test_one_hot_truths_are_classes() -> None:
    """The same truth as an index or as one-hot: the same metrics."""
    sample = ordinary()
    hot = measure(probabilities=sample.probabilities, targets=np.eye(4)[sample.targets], bins=10, k=2)
    assert_measured(hot.metrics, hot.undefined, sample.evidence())


def test_the_loss_is_that_of_a_scoring() -> None:
    """log_loss and brier_score are the losses that score() returns."""
    sample = ordinary(200, 7).weighted()
    sent: dict[str, Any] = {
        "logits": np.log(sample.probabilities),
        "targets": sample.targets,
        "sample_weights": sample.weights,
    }
    found = measure(**sent, metrics=["log_loss", "brier_score"]).metrics
    assert found["log_loss"] == pytest.approx(score(**sent).loss, rel=1e-15)
    assert found["brier_score"] == pytest.approx(score(**sent, loss="squared_error").loss, rel=1e-14)


def test_tiny_losses_survive() -> None:
    """Where p rounds to 1 in every other library, the log loss is right to the last digits."""
    measured = measure(logits=[[40.0, 0.0, 0.0]], targets=[0])
    assert measured.metrics["log_loss"] == pytest.approx(8.49670851058318e-18, rel=1e-15)


@pytest.mark.parametrize(
    "options", [{"ignore_index": 0}, {"sample_weights": [0.0, 0.0]}], ids=["ignored", "weigh 0"]
)
def test_no_row_counts(options: dict[str, Any]) -> None:
    """Nothing is measured, and every metric says why."""
    measured = measure(logits=[[1.0, 0.0], [0.0, 2.0]], targets=[0, 0], **options)
    assert measured.metrics == {}
    assert set(measured.undefined) == set(METRICS)
    assert measured.weight == 0


def test_a_certain_miss_is_infinite() -> None:
    """Log loss and perplexity are infinite, skill is −∞; all others are numbers."""
    measured = measure(probabilities=[[1.0, 0.0], [0.2, 0.8]], targets=[1, 1])
    assert measured.metrics["log_loss"] == math.inf
    assert measured.metrics["perplexity"] == math.inf
    assert measured.metrics["log_loss_skill"] == -math.inf
    assert measured.metrics["brier_score"] == pytest.approx(1.04)


def test_saturated_logits_keep_their_order() -> None:
    """The predicted class is that of the logits, also where the probabilities have rounded together."""
    logits = np.array([[1.0, 1.0 + 2**-52], [1.0 + 2**-52, 1.0]])
    found = measure(logits=logits, targets=[1, 0], binning="equal_mass", bins=1)
    assert found.metrics["accuracy"] == 1
    curve: Any = found.metrics["reliability_curve"]
    assert curve["accuracy"].tolist() == [1.0]


def test_a_state_says_what_the_batch_says() -> None:
    """Metrics that add up are the same from the state of the batch, to the last bit."""
    sample = ordinary(200, 6).weighted()
    measured = measure(
        logits=np.log(sample.probabilities),
        targets=sample.targets,
        sample_weights=sample.weights,
        include=["state"],
    )
    assert measured.state is not None
    evidence = measured.state.evidence()
    assert evidence is not None
    again, undefined = compute(evidence)
    of_batch = dict(parts(measured.metrics))
    for name, value in parts(again):
        np.testing.assert_array_equal(value, of_batch[name], err_msg=name)
    assert set(undefined) == {name for name, metric in METRICS.items() if not metric.additive}


def test_slices_and_clusters_go_through() -> None:
    """What each slice costs, and a state of clusters, in the same pass."""
    sample = ordinary(60, 3)
    regions = ["north" if i % 3 else "south" for i in range(60)]
    measured = measure(
        probabilities=sample.probabilities,
        targets=sample.targets,
        metrics=["log_loss"],
        slices={"region": regions},
        cluster=[i // 4 for i in range(60)],
        include=["state"],
    )
    assert measured.slices is not None
    of_region = measured.slices["region"]
    assert {name: each.count for name, each in of_region.items()} == {"north": 40, "south": 20}
    whole = sum(each.log_loss * each.weight for each in of_region.values()) / 60
    assert measured.metrics["log_loss"] == pytest.approx(whole, rel=1e-14)
    assert measured.state is not None


def test_float32_is_measured_in_float64() -> None:
    """Numbers are float64, whatever was sent."""
    sample = ordinary(50, 3)
    logits = np.log(sample.probabilities).astype(np.float32)
    measured = measure(logits=logits, targets=sample.targets, bins=10, k=2)
    evidence = Sample(softmax(logits.astype(float)), sample.targets).evidence()
    wanted, _ = compute(evidence)
    for name, value in parts(measured.metrics):
        assert np.asarray(value).dtype.kind in "fi"
        assert np.asarray(value).dtype.itemsize == 8
        if name in {"accuracy", "log_loss", "brier_score", "roc_auc.ovr_macro"}:
            assert value == pytest.approx(dict(parts(wanted))[name], rel=1e-5)


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "no such metric": ({"metrics": ["accuracy", "acuracy"]}, "/metrics/1"),
    "one string": ({"metrics": "accuracy"}, "/metrics"),
    "no bins": ({"bins": 0}, "/bins"),
    "too many bins": ({"bins": 1001}, "/bins"),
    "half a bin": ({"bins": 1.5}, "/bins"),
    "no such binning": ({"binning": "equal"}, "/binning"),
    "k of 0": ({"k": 0}, "/k"),
    "no such part": ({"include": ["gradients"]}, "/include/0"),
    "temperature of probabilities": ({"temperature": 2.0}, "/temperature"),
    "tolerance": ({"tolerance": 1.0}, "/tolerance"),
    "two inputs": ({"logits": [[1.0, 0.0]]}, "/probabilities"),
    "targets of another length": ({"targets": [0, 1]}, "/targets"),
    "weights below 0": ({"sample_weights": [-1.0]}, "/sample_weights/0"),
}


@pytest.mark.parametrize(("options", "pointer"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(options: dict[str, Any], pointer: str) -> None:
    """What cannot be measured is refused, with the place of the blame."""
    with pytest.raises(InvalidInputError) as refused:
        measure(**{"probabilities": [[0.5, 0.5]], "targets": [0], **options})
    assert refused.value.problems[0].pointer == pointer


def test_ordinary_metrics_need_no_rows() -> None:
    """The probabilities are kept only for metrics that need them."""
    sample = ordinary()
    sent: dict[str, Any] = {"probabilities": sample.probabilities, "targets": sample.targets}
    some = measure(**sent, metrics=["accuracy", "roc_auc"], bins=10, k=2)
    assert list(some.metrics) == ["accuracy", "roc_auc"]
    one = measure(**sent, metrics=["accuracy"])
    assert one.metrics["accuracy"] == some.metrics["accuracy"]
    assert_measured(some.metrics, some.undefined, replace(sample.evidence()))


def test_parts_of_the_brier_score_keep_their_digits() -> None:
    """Two groups of equal forecasts: 3/4 · 2 · 0.2² + 1/4 · 2 · 0.3², and nothing varies within them."""
    found: Any = measure(
        probabilities=[[0.8, 0.2]] * 3 + [[0.3, 0.7]], targets=[0, 0, 0, 1], metrics=["brier_decomposition"]
    ).metrics["brier_decomposition"]
    assert found["miscalibration"] == pytest.approx(0.105, rel=1e-14)
    assert found["within_bin"] == pytest.approx(0, abs=1e-16)
