"""scikit-learn as oracle, wherever its numbers are those of the definitions; and where they are not, what ours are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
from sklearn.exceptions import UndefinedMetricWarning

from engine.metrics.batches import DEGENERATE, Sample, ordinary, tied
from lossmeter.engine.metrics import METRICS

SAMPLES = {
    "ordinary": ordinary(200, 5),
    "weighted": ordinary(200, 5).weighted(),
    "tied": tied(100, 4),
    "tied and weighted": tied(100, 4).weighted(),
    "two classes": ordinary(150, 2),
    "two classes, weighted": ordinary(150, 2).weighted(),
    "two classes, tied": tied(150, 2).weighted(),
}
PRESENT = SAMPLES | {
    "an absent class": DEGENERATE["an absent class"],
    "a class never predicted": DEGENERATE["a class never predicted"],
    "never right": DEGENERATE["never right"],
}

every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
present_or_not = pytest.mark.parametrize("sample", PRESENT.values(), ids=PRESENT)
every_average = pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])


def ours(sample: Sample, name: str, k: int = 2) -> Any:  # noqa: ANN401  number or object
    """One metric, of ours."""
    return METRICS[name].compute(replace(sample.evidence(), k=k))


def close(found: object, wanted: object) -> None:
    """Equal but for rounding."""
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-12, atol=1e-14)


def labels(sample: Sample) -> dict[str, Any]:
    """What every function of theirs is told."""
    return {"labels": np.arange(sample.probabilities.shape[1]), "sample_weight": sample.weights}


def predicted(sample: Sample) -> Any:  # noqa: ANN401  an array of classes
    """The predicted classes."""
    return sample.probabilities.argmax(axis=1)


@every_sample
def test_scores(sample: Sample) -> None:
    """log_loss, brier_score_loss on both scales, and the skills of them, which are their D²."""
    close(ours(sample, "log_loss"), theirs.log_loss(sample.targets, sample.probabilities, **labels(sample)))
    whole = theirs.brier_score_loss(
        sample.targets, sample.probabilities, scale_by_half=False, **labels(sample)
    )
    close(ours(sample, "brier_score"), whole)
    close(ours(sample, "half_brier_score"), whole / 2)
    skill = theirs.d2_log_loss_score(sample.targets, sample.probabilities, **labels(sample))
    close(ours(sample, "log_loss_skill"), skill)
    skill = theirs.d2_brier_score(sample.targets, sample.probabilities, **labels(sample))
    close(ours(sample, "brier_skill"), skill)


@present_or_not
def test_accuracies(sample: Sample) -> None:
    """accuracy_score and balanced_accuracy_score, which leaves absent classes out as well."""
    said = {"sample_weight": sample.weights}
    close(ours(sample, "accuracy"), theirs.accuracy_score(sample.targets, predicted(sample), **said))
    close(
        ours(sample, "confusion_matrix"),
        theirs.confusion_matrix(sample.targets, predicted(sample), **labels(sample)),
    )
    if any(sample is known for known in SAMPLES.values()):
        wanted = theirs.balanced_accuracy_score(sample.targets, predicted(sample), **said)
        close(ours(sample, "balanced_accuracy"), wanted)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_top_k_accuracy(k: int, weighted: bool) -> None:  # noqa: FBT001
    """top_k_accuracy_score where no probabilities tie; they break ties the other way round."""
    sample = SAMPLES["weighted" if weighted else "ordinary"]
    wanted = theirs.top_k_accuracy_score(sample.targets, sample.probabilities, k=k, **labels(sample))
    evidence = Sample(sample.probabilities, sample.targets, sample.weights)
    rank = (sample.probabilities > sample.probabilities[np.arange(200), sample.targets][:, None]).sum(axis=1)
    weights = np.ones(200) if sample.weights is None else sample.weights
    found = replace(evidence.evidence(), k=k, top_k=float(weights[rank < k].sum()))
    close(METRICS["top_k_accuracy"].compute(found), wanted)
    if k == 2:
        close(METRICS["top_k_accuracy"].compute(evidence.evidence()), wanted)


@every_average
@present_or_not
def test_precision_recall_f1(sample: Sample, average: str | None) -> None:
    """Theirs with zero_division=nan: a class of which nothing can be said is in no mean."""
    said: dict[str, Any] = {"average": average, "zero_division": np.nan, **labels(sample)}
    if sample.weights is None:
        del said["sample_weight"]
    for name, function in (
        ("precision", theirs.precision_score),
        ("recall", theirs.recall_score),
        ("f1", theirs.f1_score),
    ):
        found = ours(sample, name)[average or "per_class"]
        if np.isnan(found).all():  # no class that occurs is ever predicted: their mean of nothing is 0
            assert f"{name}.{average}" in sample.metrics()[1]
        else:
            close(found, function(sample.targets, predicted(sample), **said))


def test_their_binary_numbers_are_those_of_class_1() -> None:
    """average="binary" is per_class[1], for all that have classes."""
    sample = SAMPLES["two classes, weighted"]
    said = {"sample_weight": sample.weights}
    score, guess = sample.probabilities[:, 1], predicted(sample)
    wanted = {
        "precision": theirs.precision_score(sample.targets, guess, **said),
        "recall": theirs.recall_score(sample.targets, guess, **said),
        "f1": theirs.f1_score(sample.targets, guess, **said),
        "roc_auc": theirs.roc_auc_score(sample.targets, score, **said),
        "average_precision": theirs.average_precision_score(sample.targets, score, **said),
    }
    for name, value in wanted.items():
        close(ours(sample, name)["per_class"][1], value)


@every_sample
def test_agreement(sample: Sample) -> None:
    """cohen_kappa_score and matthews_corrcoef."""
    guess = predicted(sample)
    close(ours(sample, "cohen_kappa"), theirs.cohen_kappa_score(sample.targets, guess, **labels(sample)))
    wanted = theirs.matthews_corrcoef(sample.targets, guess, sample_weight=sample.weights)
    close(ours(sample, "matthews_corrcoef"), wanted)


@every_sample
def test_roc_auc(sample: Sample) -> None:
    """roc_auc_score: one-vs-rest by class, macro and weighted; one-vs-one where they take no weights."""
    found, classes = ours(sample, "roc_auc"), sample.probabilities.shape[1]
    if classes == 2:
        score = sample.probabilities[:, 1]
        wanted = theirs.roc_auc_score(sample.targets, score, sample_weight=sample.weights)
        close(found["per_class"][1], wanted)
        close(found["ovr_macro"], wanted)
        return
    said: dict[str, Any] = {"multi_class": "ovr", **labels(sample)}
    for part, average in (("per_class", None), ("ovr_macro", "macro"), ("ovr_weighted", "weighted")):
        close(
            found[part], theirs.roc_auc_score(sample.targets, sample.probabilities, average=average, **said)
        )
    if sample.weights is None:
        close(
            found["ovo_macro"], theirs.roc_auc_score(sample.targets, sample.probabilities, multi_class="ovo")
        )


@every_sample
def test_average_precision(sample: Sample) -> None:
    """average_precision_score, by class, macro and weighted."""
    found, classes = ours(sample, "average_precision"), sample.probabilities.shape[1]
    truth = np.eye(classes)[sample.targets]
    for part, average in (("per_class", None), ("ovr_macro", "macro"), ("ovr_weighted", "weighted")):
        wanted = theirs.average_precision_score(
            truth, sample.probabilities, average=average, sample_weight=sample.weights
        )
        close(found[part], wanted)


def test_reliability_curve() -> None:
    """calibration_curve of the hits by the confidence; theirs has bins closed below, so no value is on an edge here."""
    from sklearn.calibration import calibration_curve  # noqa: PLC0415  its import is slow

    sample = SAMPLES["ordinary"]
    confidence = sample.probabilities.max(axis=1)
    hits = predicted(sample) == sample.targets
    accuracy, mean = calibration_curve(hits, confidence, n_bins=10)
    close(ours(sample, "reliability_curve")["accuracy"], accuracy)
    close(ours(sample, "reliability_curve")["confidence"], mean)


def test_where_theirs_is_not_the_definition() -> None:
    """One class: D² of −7·10¹⁴ measures their clipping, MCC of 0 a perfect window; an absent class counts as 0."""
    sample = Sample(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    skill = theirs.d2_log_loss_score([0, 0], sample.probabilities, labels=[0, 1])
    assert -1e16 < skill < -1e13
    assert ours(sample, "log_loss_skill") == -np.inf
    with pytest.warns(UserWarning, match="A single label"):
        assert theirs.matthews_corrcoef([0, 0], [0, 0]) == 0
    assert "matthews_corrcoef" in sample.metrics()[1]
    absent = DEGENERATE["an absent class"]
    with pytest.warns(UserWarning, match="No positive class"):
        precision = theirs.average_precision_score(np.eye(4)[absent.targets], absent.probabilities)
    assert ours(absent, "average_precision")["ovr_macro"] == pytest.approx(precision * 4 / 3)
    with pytest.warns(UndefinedMetricWarning):
        recall = theirs.recall_score(absent.targets, predicted(absent), labels=np.arange(4), average="macro")
    assert ours(absent, "recall")["macro"] == pytest.approx(recall * 4 / 3)
