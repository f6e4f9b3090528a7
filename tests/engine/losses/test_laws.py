"""Laws of every loss: invariances, sums that add up, weights that multiply, units, reductions, denominators."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

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
    arrays_of,
    as_form,
    assert_same_bits,
    options_of,
    random_logits,
    random_truth,
    rows_of,
    scored,
)

N, CLASSES = 6, 5

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_form = pytest.mark.parametrize("form", FORMS)
every_truth = pytest.mark.parametrize("truth", TRUTHS)


def batch(case: Case, form: str = "logits", truth: str = "hard", n: int = N) -> tuple[Any, Any]:
    """An input in a form, and its targets."""
    rng = np.random.default_rng(3)
    logits = random_logits(case, rng, n, CLASSES)
    return as_form(case, form, logits), random_truth(case, rng, n, CLASSES, truth)


@every_truth
@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_a_shift_of_the_logits_changes_nothing(case: Case, truth: str) -> None:
    """Softmax sees differences only: a constant may be added to a row."""
    logits, targets = batch(case, truth=truth)
    shift = np.array([1.0, -7.0, 1024.0, 0.5, -0.25, 3.0])[:, None]
    shifted = arrays_of(scored(case, "logits", logits + shift, targets))
    for name, value in arrays_of(scored(case, "logits", logits, targets)).items():
        np.testing.assert_allclose(shifted[name], value, rtol=1e-12, atol=1e-16)


@every_form
@every_case
def test_the_order_of_classes_does_not_matter(case: Case, form: str) -> None:
    """Classes renamed: the same losses, and gradients that moved along."""
    for truth in TRUTHS:
        if case.single:
            return
        values, targets = batch(case, form, truth)
        order = np.array([3, 0, 4, 1, 2])
        options = options_of("everything", case, form, N, CLASSES)
        renamed = options | {
            "class_weights": options["class_weights"][order],
            "loss": case.wanted(CLASSES, order.tolist()),
        }
        moved = np.argsort(order)[targets] if targets.ndim == 1 else targets[:, order]
        one, other = (
            scored(case, form, values, targets, **options),
            scored(case, form, values[:, order], moved, **renamed),
        )
        for name, value in arrays_of(one).items():
            by_class = name in {"class_weights", "gradients", "contributions", "probabilities", "kl.by_class"}
            np.testing.assert_allclose(
                arrays_of(other)[name], value[..., order] if by_class else value, rtol=1e-13, atol=1e-15
            )
        assert other.loss == pytest.approx(one.loss, rel=1e-14)


@every_form
@every_case
def test_the_order_of_rows_changes_no_bit_of_a_row(case: Case, form: str) -> None:
    """Rows shuffled: every row's numbers to the bit, and the same loss."""
    for truth in TRUTHS:
        values, targets = batch(case, form, truth)
        order = np.array([4, 2, 0, 5, 3, 1])
        options = options_of("everything", case, form, N, CLASSES) | {"reduction": "sum"}
        shuffled = options | {"sample_weights": options["sample_weights"][order]}
        one = scored(case, form, values, targets, **options)
        other = scored(case, form, values[order], targets[order], **shuffled)
        assert_same_bits({name: rows[order] for name, rows in rows_of(one).items()}, rows_of(other))
        assert other.loss == pytest.approx(one.loss, rel=1e-15)


@every_form
@pytest.mark.parametrize("case", OVER_CLASSES, ids=str)
def test_one_hot_is_the_index_to_the_bit(case: Case, form: str) -> None:
    """The same truth as an index, as a one-hot row, and as a one-hot row among soft ones, has the same bits."""
    for option in OPTIONS:
        values, indices = batch(case, form)
        options = options_of(option, case, form, N, CLASSES)
        hard = scored(case, form, values, indices, **options)
        one_hot = scored(case, form, values, np.eye(CLASSES)[indices], **options)
        assert_same_bits(arrays_of(hard), arrays_of(one_hot))
        assert (hard.loss, hard.denominator) == (one_hot.loss, one_hot.denominator)
        if "sample_weights" in options:
            options["sample_weights"] = np.concatenate([options["sample_weights"], np.ones(N)])
        soft = np.random.default_rng(1).dirichlet(np.ones(CLASSES), N)
        mixed_truth = np.concatenate([np.eye(CLASSES)[indices], soft])
        summed = options | {"reduction": "sum"}
        mixed = rows_of(scored(case, form, np.concatenate([values, values]), mixed_truth, **summed))
        if "sample_weights" in options:
            summed["sample_weights"] = options["sample_weights"][:N]
        alone = rows_of(scored(case, form, values, indices, **summed))
        assert_same_bits(alone, {name: rows[:N] for name, rows in mixed.items()})


@every_form
@every_case
def test_weights_multiply(case: Case, form: str) -> None:
    """A row's weight multiplies its loss and gradient; the same weight on every class does too."""
    for truth in TRUTHS:
        values, targets = batch(case, form, truth)
        weights = np.array([0.25, 3.0, 0.0, 1.0, 7.5, 1e-3])
        plain = scored(case, form, values, targets, reduction="sum")
        weighed = scored(case, form, values, targets, reduction="sum", sample_weights=weights)
        uniform = np.full(case.weighted_classes(CLASSES), 4.0)
        by_class = scored(case, form, values, targets, reduction="sum", class_weights=uniform)
        assert plain.losses is not None
        assert plain.gradients is not None
        assert weighed.losses is not None
        counted = weights > 0
        np.testing.assert_allclose(
            weighed.losses[counted], weights[counted] * plain.losses[counted], rtol=1e-15
        )
        assert (weighed.losses[~counted] == 0).all()
        assert weighed.gradients is not None
        per_row = weights.reshape((-1,) + (1,) * (values.ndim - 1))
        np.testing.assert_allclose(
            weighed.gradients[counted], per_row[counted] * plain.gradients[counted], rtol=1e-11, atol=1e-15
        )
        assert (weighed.gradients[~counted] == 0).all()
        np.testing.assert_array_equal(by_class.losses, 4 * plain.losses)
        np.testing.assert_array_equal(by_class.gradients, 4 * plain.gradients)
        assert by_class.denominator == pytest.approx(4 * plain.denominator, rel=1e-15)


@every_form
@every_case
def test_a_row_of_weight_two_is_a_row_sent_twice(case: Case, form: str) -> None:
    """Repeating rows and weighing them are the same thing, in the loss and in its denominator."""
    for truth in TRUTHS:
        values, targets = batch(case, form, truth)
        times = np.array([1, 2, 1, 3, 1, 2])
        weighed = scored(case, form, values, targets, sample_weights=times)
        repeated = scored(case, form, np.repeat(values, times, axis=0), np.repeat(targets, times, axis=0))
        assert weighed.loss == pytest.approx(repeated.loss, rel=1e-14)
        assert weighed.denominator == repeated.denominator
        assert weighed.kl is not None
        assert repeated.kl is not None
        np.testing.assert_allclose(weighed.kl.by_class, repeated.kl.by_class, rtol=1e-13, atol=1e-16)


def row_weights(case: Case, targets: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401  an array
    """V Σ_c w_c t_c by the definition, with targets smoothed by hand."""
    smoothing = options.get("label_smoothing", 0.0)
    classes = np.asarray(options.get("class_weights", np.ones(case.weighted_classes(CLASSES))))
    if case.single:
        t = targets * (1 - smoothing) + smoothing / 2
        of_classes = classes[0] * (1 - t) + classes[1] * t
    elif case.loss.binary:
        of_classes = np.full(len(targets), np.sum(classes))
    else:
        t = np.eye(CLASSES)[targets] if targets.ndim == 1 else targets
        of_classes = (t * (1 - smoothing) + smoothing / CLASSES) @ classes
    return options.get("sample_weights", 1.0) * of_classes


@every_case
def test_what_a_mean_is_divided_by(case: Case) -> None:
    """The denominator is Σ v Σ w t, or the number of rows; a mean times it is the sum of the losses."""
    for truth, option in product(TRUTHS, ("plain", "weights", "count", "everything")):
        values, targets = batch(case, truth=truth)
        options = options_of(option, case, "logits", N, CLASSES) | {"reduction": "mean"}
        mean = scored(case, "logits", values, targets, **options)
        summed = scored(case, "logits", values, targets, **options | {"reduction": "sum"})
        none = scored(case, "logits", values, targets, **options | {"reduction": "none"})
        count = options.get("normalization") == "count"
        expected = N if count else math.fsum(row_weights(case, targets, options))
        assert mean.denominator == pytest.approx(expected, rel=1e-14)
        assert mean.denominator == summed.denominator == none.denominator
        assert none.loss is None
        assert mean.losses is not None
        assert summed.loss == pytest.approx(math.fsum(mean.losses), rel=1e-15)
        assert mean.loss == pytest.approx(math.fsum(mean.losses) / mean.denominator, rel=1e-15)
        np.testing.assert_array_equal(mean.losses, none.losses)
        np.testing.assert_array_equal(summed.gradients, none.gradients)
        assert mean.gradients is not None
        assert none.gradients is not None
        np.testing.assert_allclose(mean.gradients * mean.denominator, none.gradients, rtol=1e-11, atol=1e-16)


@every_form
@every_case
def test_parts_add_up(case: Case, form: str) -> None:
    """Cross-entropy = entropy + KL to the bit; contributions add up to KL, and KL by class to its weighted mean."""
    for truth, option in product(TRUTHS, ("plain", "weights", "label_smoothing", "epsilon", "everything")):
        values, targets = batch(case, form, truth)
        options = options_of(option, case, form, N, CLASSES)
        scores = scored(case, form, values, targets, **options)
        assert scores.kl is not None
        kl = scores.kl
        np.testing.assert_array_equal(kl.cross_entropy, kl.target_entropy + kl.kl_divergence)
        assert (kl.kl_divergence >= 0).all()
        assert (kl.target_entropy >= 0).all()
        assert scores.contributions is not None
        # Clipping may push the KL of a row below 0, with a binary loss that of a label: there it is 0.
        by_label = scores.contributions.reshape(N, -1)
        whole = np.sum(by_label if not case.loss.binary else np.maximum(by_label, 0), axis=1)
        np.testing.assert_allclose(kl.kl_divergence, np.maximum(whole, 0), rtol=1e-13, atol=1e-14)
        assert kl.by_class.shape == (case.weighted_classes(CLASSES),)
        weighted = math.fsum(row_weights(case, targets, options) * kl.kl_divergence) / scores.denominator
        assert math.fsum(kl.by_class) == pytest.approx(weighted, rel=1e-13, abs=1e-16)


@every_form
@every_case
def test_bits_are_nats_over_ln_two(case: Case, form: str) -> None:
    """Every loss, gradient and divergence is divided by ln 2; probabilities and counts are not."""
    for truth in TRUTHS:
        values, targets = batch(case, form, truth)
        nats = scored(case, form, values, targets)
        bits = scored(case, form, values, targets, unit="bits")
        for name, value in arrays_of(nats).items():
            factor = 1.0 if name == "probabilities" else math.log(2)
            np.testing.assert_allclose(arrays_of(bits)[name] * factor, value, rtol=1e-11, atol=1e-16)
        assert nats.loss is not None
        assert bits.loss == pytest.approx(nats.loss / math.log(2), rel=1e-15)
        assert (bits.denominator, bits.count) == (nats.denominator, nats.count)


@every_case
def test_temperature_divides_the_logits(case: Case) -> None:
    """Scoring at T is scoring x/T; the gradient with respect to x has 1/T in it."""
    for truth in TRUTHS:
        logits, targets = batch(case, truth=truth)
        warm = arrays_of(scored(case, "logits", logits, targets, temperature=4.0))
        plain = arrays_of(scored(case, "logits", logits / 4, targets))
        plain["gradients"] = plain["gradients"] / 4
        for name, value in plain.items():
            np.testing.assert_allclose(warm[name], value, rtol=1e-11, atol=1e-16)


@every_case
def test_the_three_inputs_agree(case: Case) -> None:
    """Logits, their probabilities and their log-probabilities cost the same."""
    for truth in TRUTHS:
        answers = {form: scored(case, form, *batch(case, form, truth)) for form in FORMS}
        for form in FORMS[1:]:
            for name, value in arrays_of(answers["logits"]).items():
                if name != "gradients":
                    np.testing.assert_allclose(arrays_of(answers[form])[name], value, rtol=1e-9, atol=1e-12)


@every_form
@every_case
def test_smoothing_is_sending_smoothed_targets(case: Case, form: str) -> None:
    """Label smoothing is (1−α) t + α/C (towards one half for binary losses), and nothing else."""
    for truth in TRUTHS:
        values, targets = batch(case, form, truth)
        smoothed = scored(case, form, values, targets, label_smoothing=0.25)
        t = np.eye(CLASSES)[targets] if targets.ndim == 1 and not case.loss.binary else targets
        by_hand = t * 0.75 + 0.25 / (2 if case.loss.binary else CLASSES)
        expected = arrays_of(scored(case, form, values, by_hand))
        for name, value in arrays_of(smoothed).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-13, atol=1e-15)


@every_form
@every_case
def test_a_perfect_row_costs_nothing(case: Case, form: str) -> None:
    """A certain hit has loss 0 and KL 0, and no minus in front of them."""
    indices = np.array([1, 0, 1])
    truth = indices if case.loss.binary else np.eye(3)[indices]
    if case.loss.binary and not case.single:
        truth = np.stack([indices, 1 - indices, indices], axis=1)
    sure = {
        "probabilities": truth.astype(np.float64),
        "logits": np.where(truth == 1, 800.0, -800.0),
        "log_probabilities": np.where(truth == 1, 0.0, -np.inf),
    }[form]
    scores = scored(case, form, sure, truth if case.loss.binary else indices)
    assert scores.kl is not None
    for zeros in (scores.losses, scores.kl.kl_divergence, scores.kl.cross_entropy, np.array([scores.loss])):
        assert zeros is not None
        assert zeros.tobytes() == bytes(zeros.nbytes)


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 5), classes=st.integers(1, 70), spread=st.floats(0, 300)
)
def test_no_loss_is_negative_or_undefined(case: Case, seed: int, n: int, classes: int, spread: float) -> None:
    """Losses, entropies and divergences are ≥ 0 and never NaN; the gradient of a finite loss is finite."""
    rng = np.random.default_rng(seed)
    logits = random_logits(case, rng, n, classes, spread)
    targets = random_truth(case, rng, n, classes, "mixed")
    scores = scored(case, "logits", logits, targets, reduction="sum")
    for name, value in arrays_of(scores).items():
        if name not in {"gradients", "contributions"}:
            assert (value >= 0).all(), name
    assert scores.loss is not None
    assert scores.loss >= 0
    assert scores.losses is not None
    assert scores.gradients is not None
    assert np.isfinite(scores.gradients[np.isfinite(scores.losses)]).all()


@every_case
def test_no_parameter_makes_a_loss_negative(case: Case) -> None:
    """The same over each parameter's range, from a sure hit to a sure miss."""
    gaps = np.concatenate([np.linspace(-60, 60, 241), [-700.0, 700.0]])
    if case.loss.binary:
        logits, targets = (
            (gaps, np.ones(len(gaps))) if case.single else (gaps[:, None], np.ones((len(gaps), 1)))
        )
    else:
        logits, targets = np.stack([gaps, np.zeros(len(gaps))], axis=1), np.zeros(len(gaps), int)
    losses = scored(case, "logits", logits, targets).losses
    assert losses is not None
    assert (losses >= 0).all()
