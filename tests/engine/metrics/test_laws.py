"""Laws of every metric of the registry, over ordinary, tied and degenerate batches, in bins of both kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.batches import DEGENERATE, Sample, ordinary, softmax, tied
from lossmeter.engine import measure
from lossmeter.engine.metrics import METRICS, compute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.engine.evidence import Binning
    from lossmeter.engine.metrics import Answer

SAMPLES = {
    "ordinary": ordinary(),
    "tied": tied(),
    "weighted": ordinary().weighted(),
    "both": tied().weighted(),
}
SAMPLES |= {name: sample for name, sample in DEGENERATE.items() if sample.targets.ndim == 1}

every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
every_binning = pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])

# Of sums rather than means; those of the first count rows, and do not know weights.
TOTALS = {"confusion_matrix", "reliability_curve.weight"}
COUNTS = {"reliability_curve.count"}
UNBOUNDED = {
    "log_loss",
    "perplexity",
    "log_loss_decomposition",
    "confusion_matrix",
    "log_loss_skill",
    "brier_skill",
}


def parts(answers: Mapping[str, Answer]) -> Iterator[tuple[str, Any]]:
    """Every number and list by its dotted path."""
    for name, answer in answers.items():
        if isinstance(answer, Mapping):
            yield from ((f"{name}.{part}", value) for part, value in answer.items())
        else:
            yield name, answer


def assert_alike(
    one: tuple[dict[str, Answer], dict[str, str]],
    other: tuple[dict[str, Answer], dict[str, str]],
    scale: float = 1.0,
    *,
    counts: bool = True,
) -> None:
    """The same numbers but for rounding, and the same things undefined; totals ``scale`` times as large."""
    assert one[1] == other[1]
    found = dict(parts(other[0]))
    assert [name for name, _ in parts(one[0])] == list(found)
    for name, value in parts(one[0]):
        if counts or name not in COUNTS:
            factor = scale if name in TOTALS else 1.0
            np.testing.assert_allclose(found[name], value * factor, rtol=1e-11, atol=1e-14, err_msg=name)


@every_binning
@every_sample
def test_the_order_of_rows_does_not_matter(sample: Sample, binning: Binning) -> None:
    """Rows shuffled: the same metrics."""
    order = np.random.default_rng(4).permutation(len(sample.targets))
    weights = None if sample.weights is None else sample.weights[order]
    shuffled = Sample(sample.probabilities[order], sample.targets[order], weights)
    assert_alike(sample.metrics(binning), shuffled.metrics(binning))


@every_binning
@every_sample
def test_a_row_twice_is_a_row_of_weight_two(sample: Sample, binning: Binning) -> None:
    """Some rows repeated, or their weights doubled: the same metrics."""
    twice = np.arange(len(sample.targets)) % 3 == 0
    weights = np.ones(len(twice)) if sample.weights is None else sample.weights
    repeated = np.repeat(np.arange(len(twice)), 1 + twice)
    doubled = replace(sample, weights=weights * (1 + twice))
    again = Sample(sample.probabilities[repeated], sample.targets[repeated], weights[repeated])
    assert_alike(doubled.metrics(binning), again.metrics(binning), counts=False)


@every_binning
@every_sample
def test_a_row_of_weight_0_is_absent(sample: Sample, binning: Binning) -> None:
    """Rows that weigh nothing, even certain misses: the metrics of the others."""
    classes = sample.probabilities.shape[1]
    weights = np.ones(len(sample.targets)) if sample.weights is None else sample.weights
    misses = np.eye(classes)[np.arange(5) % classes]
    more = Sample(
        np.concatenate([misses, sample.probabilities]),
        np.concatenate([(np.arange(5) + 1) % classes, sample.targets]),
        np.concatenate([np.zeros(5), weights]),
    )
    assert_alike(sample.metrics(binning), more.metrics(binning), counts=False)


@every_binning
@every_sample
def test_the_names_of_classes_do_not_matter(sample: Sample, binning: Binning) -> None:
    """Classes renamed: numbers of classes move along, others stay. Ties of the prediction would be broken anew."""
    top = np.sort(sample.probabilities, axis=1)
    if sample.probabilities.shape[1] > 1 and (top[:, -1] == top[:, -2]).any():
        tops = top[:, -1] > top[:, -2]
        weights = None if sample.weights is None else sample.weights[tops]
        if not tops.any():
            return
        sample = Sample(sample.probabilities[tops], sample.targets[tops], weights)
    classes = sample.probabilities.shape[1]
    order = np.random.default_rng(6).permutation(classes)
    renamed = replace(
        sample, probabilities=sample.probabilities[:, order], targets=np.argsort(order)[sample.targets]
    )
    (one, missing), (other, also_missing) = sample.metrics(binning), renamed.metrics(binning)
    assert len(missing) == len(also_missing)
    found = dict(parts(other))
    for name, value in parts(one):
        if name.startswith("top_k"):
            continue  # ties at the k-th place
        moved = value[np.ix_(order, order)] if name == "confusion_matrix" else value
        moved = value[order] if name.endswith(".per_class") else moved
        np.testing.assert_allclose(found[name], moved, rtol=1e-11, atol=1e-14, err_msg=name)


@every_binning
@pytest.mark.parametrize("scale", [0.25, 3.0, 2.0**-1000, 2.0**1000])
@every_sample
def test_the_scale_of_weights_does_not_matter(sample: Sample, scale: float, binning: Binning) -> None:
    """Weights times a constant: the same metrics, and totals times it."""
    weights = np.ones(len(sample.targets)) if sample.weights is None else sample.weights
    if not -290 < np.log10(max(weights.max(), 1e-300)) + np.log10(scale) < 290:
        return
    scaled = replace(sample, weights=weights * scale)
    assert_alike(replace(sample, weights=weights).metrics(binning), scaled.metrics(binning), scale)


@every_binning
@every_sample
def test_every_number_is_in_its_bounds(sample: Sample, binning: Binning) -> None:
    """Shares lie in [0, 1], correlations in [−1, 1], skills at most at 1, nothing is −0 or NaN without a reason."""
    answers, undefined = sample.metrics(binning)
    for name, value in parts(answers):
        numbers = np.atleast_1d(np.asarray(value, float)).ravel()
        assert not np.signbit(numbers[numbers == 0]).any(), name
        for place in np.flatnonzero(np.isnan(numbers)):
            assert f"{name}.{place}" in undefined or name in undefined
        numbers = numbers[~np.isnan(numbers)]
        root = name.split(".")[0]
        low = -1.0 if root in {"cohen_kappa", "matthews_corrcoef"} else 0.0
        high = 2.0 if root.startswith("brier") else 1.0
        if root not in UNBOUNDED | {"reliability_curve"}:
            assert (numbers >= low).all() or name.endswith("within_bin"), name
            assert (numbers <= high).all(), name
        if root.endswith("skill"):
            assert (numbers <= 1).all()
        if root.endswith("decomposition") and not name.endswith("within_bin"):
            assert (numbers >= 0).all(), name


@pytest.mark.parametrize("sample", DEGENERATE.values(), ids=DEGENERATE)
def test_every_metric_is_a_number_or_has_a_reason(sample: Sample) -> None:
    """Degenerate batches: each metric is in the answer or in what is undefined, and a reason is a sentence."""
    for kept in (True, False):
        answers, undefined = compute(sample.evidence(kept=kept))
        for name in METRICS:
            assert (name in answers) != (name in undefined), name
        assert all(len(why) > 10 for why in undefined.values())
        for name in undefined:
            assert name.split(".")[0] in METRICS


@given(
    n=st.integers(1, 12),
    classes=st.integers(2, 5),
    spread=st.sampled_from([0.0, 0.5, 3.0, 40.0]),
    seed=st.integers(0, 10_000),
)
def test_nothing_is_nan_without_a_reason(n: int, classes: int, spread: float, seed: int) -> None:
    """Small random batches, most of them degenerate in some way."""
    rng = np.random.default_rng(seed)
    sample = Sample(
        softmax(np.round(rng.normal(0, spread, (n, classes)))),
        rng.integers(0, classes, n),
        rng.integers(0, 3, n) / 2,
    )
    test_every_number_is_in_its_bounds(sample, "equal_width")
    test_every_number_is_in_its_bounds(sample, "equal_mass")
    test_every_metric_is_a_number_or_has_a_reason(sample)
    test_the_order_of_rows_does_not_matter(sample, "equal_mass")


def test_metrics_describe_themselves() -> None:
    """Name, title, summary, formula and reference, each of its own."""
    for name, metric in METRICS.items():
        assert metric.name == name
        for said in (metric.title, metric.summary, metric.formula, metric.reference):
            assert said.strip() == said != ""
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


def test_a_list_with_many_gaps_is_named_as_a_whole() -> None:
    """Where hundreds of classes have no value, one reason stands for all of them."""
    found = measure(logits=np.zeros((2, 300)), targets=[1, 2], metrics=["recall"])
    assert np.isnan(found.metrics["recall"]["per_class"]).sum() == 298  # type: ignore[index, call-overload]
    assert found.undefined == {"recall.per_class": "no row of this class"}
