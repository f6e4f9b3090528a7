"""Where losses end: certain hits and misses, masks, weights of 0, ignored rows, the largest numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from engine.cases import (
    CASES,
    FORMS,
    OPTIONS,
    OVER_CLASSES,
    TRUTHS,
    Case,
    arrays_of,
    as_form,
    assert_same_bits,
    options_of,
    random_logits,
    random_truth,
    rows_of,
    scored,
)

CLASSES = 3

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_form = pytest.mark.parametrize("form", FORMS)
over_rows_of_indices = pytest.mark.parametrize(
    "case", [case for case in CASES if case.single or not case.loss.binary], ids=str
)


def extreme_rows(case: Case, magnitudes: tuple[float, ...]) -> tuple[Any, Any]:
    """Every row of ± a magnitude and 0, against every truth."""
    levels = [sign * size for size in magnitudes for sign in (-1, 1)] + [0.0]
    if case.single:
        pairs = list(product(levels, (0, 1)))
        return np.array([z for z, _ in pairs]), np.array([t for _, t in pairs])
    rows = np.array(list(product(levels, repeat=CLASSES)))
    if case.loss.binary:
        truths = np.array(list(product((0, 1), repeat=CLASSES)))
        return np.repeat(rows, len(truths), axis=0), np.tile(truths, (len(rows), 1))
    return np.repeat(rows, CLASSES, axis=0), np.tile(np.arange(CLASSES), len(rows))


@pytest.mark.parametrize(
    ("dtype", "magnitudes"),
    [
        (np.float64, (40.0, 745.0)),
        (np.float64, (300.0, 1e300)),
        (np.float32, (17.0, 104.0)),
        (np.float32, (50.0, 3e37)),
    ],
)
@every_case
def test_finite_at_the_largest_logits(case: Case, dtype: type[np.floating[Any]], magnitudes: Any) -> None:  # noqa: ANN401  two floats
    """Logits of ±1e300 (±3e37) have finite losses and gradients; only a loss that really is infinite may be."""
    logits, hard = extreme_rows(case, magnitudes)
    logits = logits.astype(dtype)
    soft = random_truth(case, np.random.default_rng(2), len(logits), CLASSES, "soft")
    for name, value in arrays_of(scored(case, "logits", logits, soft, reduction="none")).items():
        assert np.isfinite(value).all(), name
    scores = scored(case, "logits", logits, hard, reduction="none")
    assert scores.losses is not None
    assert scores.gradients is not None
    assert (scores.losses >= 0).all()
    assert np.isfinite(scores.gradients[np.isfinite(scores.losses)]).all()


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("gap", [3.0, 20.0, 40.0, 100.0])
@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_a_gradient_by_logits_sums_to_zero(case: Case, gap: float, truth: str) -> None:
    """Shifting a row changes nothing, so its gradient has no part along it, however sure the model is."""
    rng = np.random.default_rng(10)
    logits = random_logits(case, rng, 50, CLASSES)
    logits[np.arange(50), rng.integers(0, CLASSES, 50)] += gap
    targets = random_truth(case, rng, 50, CLASSES, truth)
    scores = scored(case, "logits", logits, targets)
    assert scores.losses is not None
    assert scores.gradients is not None
    gradients = scores.gradients[np.isfinite(scores.losses)]
    scale = np.max(np.abs(gradients), axis=1, initial=0)
    assert (np.abs(np.sum(gradients, axis=1)) <= 1e-14 * scale).all()


@pytest.mark.parametrize("form", ["probabilities", "log_probabilities"])
@every_case
def test_a_certain_miss_is_the_limit_of_near_certain_ones(case: Case, form: str) -> None:
    """With p = 0 at the truth a loss is what it tends to as p falls to 0: infinite, or its bound."""
    p = np.array([0.0, 1e-300, 1e-150])
    if case.loss.binary:
        sent, targets = (p, np.ones(3)) if case.single else (p[:, None], np.ones((3, 1)))
        said = case.wanted(1)
    else:
        sent, targets = np.stack([p, 1 - p], axis=1), np.zeros(3, int)
        said = case.wanted(2)
    if form == "log_probabilities":
        with np.errstate(divide="ignore"):
            sent = np.log(sent)
    scores = scored(case, form, sent, targets, loss=said, reduction="none")
    assert scores.losses is not None
    certain, nearly, far = scores.losses
    if np.isinf(certain):
        assert nearly > 1.9 * far or np.isinf(nearly)
    else:
        assert certain == pytest.approx(nearly, rel=1e-12)
    assert scores.kl is not None
    assert scores.kl.kl_divergence[0] == np.inf
    assert scores.kl.cross_entropy[0] == np.inf
    expected = np.zeros(len(scores.kl.by_class))
    expected[-1 if case.loss.binary else 0] = np.inf
    np.testing.assert_array_equal(scores.kl.by_class > 1e300, expected > 0)
    assert not np.isnan(scores.kl.by_class).any()


@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_a_masked_truth_is_a_certain_miss(case: Case) -> None:
    """A truth whose logit is -Infinity costs what a probability of 0 costs."""
    by_logit = scored(case, "logits", np.array([[-np.inf, 0.0, 0.0]]), np.array([0]))
    by_p = scored(case, "probabilities", np.array([[0.0, 0.5, 0.5]]), np.array([0]))
    assert by_logit.loss == by_p.loss
    assert by_logit.losses is not None
    assert by_logit.gradients is not None
    assert np.isfinite(by_logit.gradients[np.isfinite(by_logit.losses)]).all()


@every_form
@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_a_class_that_nobody_believes_in_does_not_count(case: Case, form: str) -> None:
    """A class without probability and without truth changes no loss: smoothing leaves it out too."""
    for truth, option in product(TRUTHS, ("plain", "weights", "label_smoothing", "everything")):
        rng = np.random.default_rng(9)
        logits = random_logits(case, rng, 4, CLASSES)
        targets = random_truth(case, rng, 4, CLASSES, truth)
        options = options_of(option, case, form, 4, CLASSES)
        said = case.wanted(CLASSES)
        without = scored(case, form, as_form(case, form, logits), targets, loss=said, **options)
        gone = {"logits": -np.inf, "probabilities": 0.0, "log_probabilities": -np.inf}[form]
        values = np.column_stack([as_form(case, form, logits), np.full(4, gone)])
        for name in said.keys() - {"name"}:
            said[name] = np.append(said[name], 2.0) if np.ndim(said[name]) else said[name]
        if "class_weights" in options:
            options["class_weights"] = np.append(options["class_weights"], 5.0)
        wider = targets if targets.ndim == 1 else np.column_stack([targets, np.zeros(4)])
        scores = scored(case, form, values, wider, loss=said, **options)
        assert scores.losses is not None
        assert scores.gradients is not None
        assert without.losses is not None
        if "epsilon" not in options:  # clipping gives the class a probability
            np.testing.assert_allclose(scores.losses, without.losses, rtol=1e-12, atol=1e-15)
            assert scores.denominator == pytest.approx(without.denominator)
        finite = np.isfinite(scores.losses)
        if form == "logits":
            assert (scores.gradients[finite, -1] == 0).all()


@every_form
@over_rows_of_indices
def test_ignored_rows_count_nowhere(case: Case, form: str) -> None:
    """Rows at ignore_index, even of NaN, are zeros everywhere, and the rest is as if they had not been sent."""
    rng = np.random.default_rng(4)
    values = as_form(case, form, random_logits(case, rng, 6, CLASSES))
    targets = random_truth(case, rng, 6, CLASSES)
    weights = rng.uniform(0.5, 2, 6)
    kept = np.array([True, False, True, True, False, True])
    sent, marked = values.copy(), np.where(kept, targets, -100)
    sent[1], sent[4] = np.nan, np.inf
    for option in OPTIONS:
        options = options_of(option, case, form, 6, CLASSES) | {"sample_weights": weights}
        scores = scored(case, form, sent, marked, ignore_index=-100, **options)
        rest = scored(case, form, values[kept], targets[kept], **options | {"sample_weights": weights[kept]})
        assert (scores.loss, scores.denominator) == (rest.loss, rest.denominator)
        assert (scores.count, scores.ignored) == (4, 2)
        rows = rows_of(scores)
        assert_same_bits({name: value[kept] for name, value in rows.items()}, rows_of(rest))
        for name, value in rows.items():
            gone = np.ascontiguousarray(value[~kept])
            assert gone.tobytes() == bytes(gone.nbytes), name
        assert scores.kl is not None
        assert rest.kl is not None
        np.testing.assert_allclose(scores.kl.by_class, rest.kl.by_class, rtol=1e-14)


@every_form
@over_rows_of_indices
def test_a_batch_of_which_all_is_ignored(case: Case, form: str) -> None:
    """Nothing scored: loss 0, denominator 0, and no NaN of any kind."""
    for normalization, reduction in product(("weight", "count"), ("mean", "sum")):
        values = np.full(case.shape(3, CLASSES), np.nan)
        scores = scored(
            case,
            form,
            values,
            np.full(3, 7),
            ignore_index=7,
            reduction=reduction,
            normalization=normalization,
        )
        assert (scores.loss, scores.denominator, scores.count, scores.ignored) == (0.0, 0.0, 0, 3)
        for name, value in arrays_of(scores).items():
            assert not value.any(), name


@every_form
@every_case
def test_a_batch_without_weight(case: Case, form: str) -> None:
    """A total weight of 0, by samples or by classes: loss 0, denominator 0, gradients 0."""
    for normalization in ("weight", "count"):
        rng = np.random.default_rng(8)
        values = as_form(case, form, random_logits(case, rng, 3, CLASSES))
        targets = random_truth(case, rng, 3, CLASSES)
        for weights in (
            {"sample_weights": np.zeros(3)},
            {"class_weights": np.zeros(case.weighted_classes(CLASSES))},
        ):
            scores = scored(case, form, values, targets, normalization=normalization, **weights)
            assert (scores.loss, scores.denominator, scores.count) == (0.0, 0.0, 3)
            assert scores.losses is not None
            assert scores.gradients is not None
            assert scores.kl is not None
            assert not scores.losses.any()
            assert not scores.gradients.any()
            assert not scores.kl.by_class.any()


@pytest.mark.parametrize("truth", ["hard", "soft"])
@pytest.mark.parametrize("form", ["probabilities", "log_probabilities"])
@every_case
def test_a_weight_of_zero_silences_an_infinite_row(case: Case, form: str, truth: str) -> None:
    """A certain miss of weight 0 adds 0 to the loss and to the gradients: never 0 · ∞."""
    if case.loss.binary:
        sent = np.array([0.0, 0.5]) if case.single else np.array([[0.0, 1.0, 0.5], [0.5, 0.5, 0.5]])
        targets: Any = np.array([1, 0]) if case.single else np.array([[1, 0, 1], [0, 1, 1]])
    else:
        sent = np.array([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]])
        targets = np.array([0, 1]) if truth == "hard" else np.array([[0.5, 0.0, 0.5], [0.25, 0.5, 0.25]])
    if form == "log_probabilities":
        with np.errstate(divide="ignore"):
            sent = np.log(sent)
    silent = scored(case, form, sent, targets, sample_weights=[0.0, 2.0])
    alone = scored(case, form, sent[1:], targets[1:], sample_weights=[2.0])
    assert silent.loss == alone.loss
    assert silent.denominator == alone.denominator
    assert silent.gradients is not None
    assert silent.kl is not None
    assert alone.kl is not None
    assert not silent.gradients[0].any()
    np.testing.assert_array_equal(silent.kl.by_class, alone.kl.by_class)


@pytest.mark.parametrize("form", ["probabilities", "log_probabilities"])
@every_case
def test_a_class_of_weight_zero_silences_its_infinity(case: Case, form: str) -> None:
    """A certain miss of a class that weighs nothing costs nothing and pulls nowhere."""
    sent, targets = np.array([[0.0, 0.75, 0.25]]), np.array([0])
    weights = np.array([0.0, 1.0, 2.0])
    if case.single:
        sent, targets, weights = np.array([0.0]), np.array([1]), np.array([3.0, 0.0])
    elif case.loss.binary:
        targets = np.array([[1, 1, 1]])
    if form == "log_probabilities":
        with np.errstate(divide="ignore"):
            sent = np.log(sent)
    scores = scored(case, form, sent, targets, class_weights=weights)
    assert scores.loss is not None
    assert scores.gradients is not None
    assert np.isfinite(scores.loss)
    assert np.isfinite(scores.gradients).all()
    assert scores.gradients.flat[0] == 0


def zeros_of_every_kind(case: Case, form: str) -> list[tuple[Any, Any]]:
    """Batches in which a -0.0 would be easily made: zeros and minus zeros, certain hits and misses, masks."""
    ends = {
        "logits": [-np.inf, -800.0, -0.0, 0.0, 800.0],
        "probabilities": [-0.0, 0.0, 1e-320, 0.5, 1.0],
        "log_probabilities": [-np.inf, -800.0, np.log(0.5), -0.0, 0.0],
    }[form]
    if case.loss.binary:
        pairs = np.array(list(product(ends, (-0.0, 1.0, 0.5))))
        return [(pairs[:, 0], pairs[:, 1]) if case.single else (pairs[:, :1], pairs[:, 1:])]
    rows = np.array(list(product(ends, repeat=CLASSES)))
    mass = rows if form == "probabilities" else np.exp(np.minimum(rows, 0))
    fit = (rows > -np.inf).any(axis=1) if form == "logits" else np.abs(np.sum(mass, axis=1) - 1) < 1e-9
    rows = rows[fit]
    hard = [(rows, np.full(len(rows), truth)) for truth in range(CLASSES)]
    soft = [(rows, np.tile(t, (len(rows), 1))) for t in ([-0.0, 0.5, 0.5], [0.25, 0.5, 0.25])]
    return hard + soft


@pytest.mark.parametrize(
    "options",
    [{}, {"label_smoothing": 0.1}, {"epsilon": 0.1}, {"unit": "bits"}, {"sample_weights": -0.0}],
    ids=str,
)
@every_form
@every_case
def test_no_minus_zero_and_no_undefined_loss(case: Case, form: str, options: dict[str, Any]) -> None:
    """No array of an answer holds -0.0 and no loss is NaN, whatever zeros and infinities were sent."""
    for values, targets in zeros_of_every_kind(case, form):
        said = {
            name: np.full(len(values), each) if name == "sample_weights" else each
            for name, each in options.items()
        }
        said["class_weights"] = np.where(np.arange(case.weighted_classes(values.shape[-1])) == 1, -0.0, 1.0)
        for extra in (said, {**said, "class_weights": None}):
            scores = scored(case, form, values, targets, **extra)
            for name, value in arrays_of(scores).items():
                assert not (np.signbit(value) & (value == 0)).any(), name
                assert name == "gradients" or not np.isnan(value).any(), name
            assert scores.loss is not None
            assert not np.signbit(scores.loss)
            assert scores.loss >= 0
