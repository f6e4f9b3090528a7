"""Class weights against scikit-learn and the papers' formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from engine.cases import assert_close
from lossmeter.engine import class_weights, score
from lossmeter.errors import InvalidInputError

SCHEMES = ("inverse_frequency", "balanced", "effective_number")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_balanced_is_that_of_scikit_learn(drawn: list[int]) -> None:
    """N / (C n_c), as compute_class_weight("balanced") has it."""
    targets = np.concatenate([np.arange(6), drawn])
    expected = compute_class_weight("balanced", classes=np.arange(6), y=targets)
    found = class_weights(targets=targets)
    assert_close(found.class_weights, expected, rtol=1e-15)
    assert_close(found.counts, np.bincount(targets), rtol=0)


def test_inverse_frequency() -> None:
    """N / n_c (King, Zeng, Political Analysis 9, 2001)."""
    assert_close(
        class_weights(counts=[1, 4, 5], scheme="inverse_frequency").class_weights, [10, 2.5, 2], rtol=0
    )


@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999, 0.9999])
def test_effective_number(beta: float) -> None:
    """(1−β)/(1−β^n), scaled to the sum C (Cui et al., CVPR 2019; cifar_main.py of its authors)."""
    counts = np.array([5000, 500, 50, 5])
    raw = (1 - beta) / (1 - beta**counts)
    found = class_weights(counts=counts, scheme="effective_number", beta=beta)
    assert_close(found.class_weights, raw / raw.sum() * 4, rtol=1e-11)


def test_the_ends_of_beta() -> None:
    """β = 0 makes all weights 1; β near 1 is the inverse frequency but for its scale (the paper, section 3.2)."""
    assert_close(
        class_weights(counts=[1, 9], scheme="effective_number", beta=0.0).class_weights, [1, 1], rtol=0
    )
    near = class_weights(counts=[1, 9], scheme="effective_number", beta=1 - 1e-15).class_weights
    assert_close(near, [1.8, 0.2], rtol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_absent_classes(scheme: Any) -> None:  # noqa: ANN401  one of the schemes
    """A class without example is an error that names it, or weighs 0 and leaves the others finite."""
    with pytest.raises(InvalidInputError, match="class 1, 3"):
        class_weights(counts=[4, 0, 4, 0], scheme=scheme)
    found = class_weights(counts=[4, 0, 4, 0], scheme=scheme, absent="zero")
    assert (found.class_weights[[1, 3]] == 0).all()
    assert np.isfinite(found.class_weights).all()
    assert found.class_weights[0] == found.class_weights[2] > 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_targets_of_every_kind(scheme: Any) -> None:  # noqa: ANN401  one of the schemes
    """Indices, one-hot rows and counts are one truth; shares of soft rows are counted as they are."""
    targets = np.array([0, 1, 1, 2, 2, 2])
    expected = class_weights(counts=[1, 2, 3], scheme=scheme).class_weights
    assert_close(class_weights(targets=targets, scheme=scheme).class_weights, expected, rtol=0)
    assert_close(class_weights(targets=np.eye(3)[targets], scheme=scheme).class_weights, expected, rtol=0)
    soft = class_weights(targets=[[0.5, 0.5], [0.0, 1.0]], scheme=scheme)
    assert_close(soft.counts, [0.5, 1.5], rtol=0)


def test_classes_and_ignored_targets() -> None:
    """The number of classes may exceed what the targets show; ignored targets are not counted."""
    found = class_weights(targets=[0, 1, -100], classes=3, ignore_index=-100, absent="zero")
    assert_close(found.counts, [1, 1, 0], rtol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scoring_uses_the_same_weights(scheme: Any) -> None:  # noqa: ANN401  one of the schemes
    """A scheme named in a scoring gives the weights of this function for the rows not ignored, and returns them."""
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(20, 3)), np.arange(20) % 3
    targets[:4] = -1
    expected = class_weights(targets=targets[4:], scheme=scheme).class_weights
    for said in (scheme, {"scheme": scheme}):
        scores = score(logits=logits, targets=targets, ignore_index=-1, class_weights=said)
        assert_close(scores.class_weights, expected, rtol=0)
    by_hand = score(logits=logits, targets=targets, ignore_index=-1, class_weights=expected)
    assert scores.loss == by_hand.loss


def test_schemes_of_binary_losses() -> None:
    """Float[n]: the truths 0 and 1 are the two classes. Float[n, labels]: the labels, counted where they are true."""
    single = score(
        logits=np.zeros(4), targets=[1, 0, 0, 0], loss="binary_cross_entropy", class_weights="balanced"
    )
    assert_close(single.class_weights, [2 / 3, 2], rtol=1e-15)
    labels = score(
        logits=np.zeros((2, 2)),
        targets=[[1, 0], [1, 1]],
        loss="binary_cross_entropy",
        class_weights="balanced",
    )
    assert_close(labels.class_weights, [0.75, 1.5], rtol=1e-15)


def test_balanced_classes_weigh_the_same_in_a_mean() -> None:
    """With "balanced" every class has the same share of the denominator."""
    targets = np.array([0] * 90 + [1] * 10)
    scores = score(logits=np.zeros((100, 2)), targets=targets, class_weights="balanced")
    assert scores.denominator == pytest.approx(100)
    assert scores.class_weights is not None
    assert_close(np.bincount(targets) * scores.class_weights, [50, 50], rtol=1e-15)


def test_options_of_a_scheme() -> None:
    """β and absent may be given in a scoring."""
    said = {"scheme": "effective_number", "beta": 0.5, "absent": "zero"}
    scores = score(logits=np.zeros((3, 3)), targets=[0, 0, 1], class_weights=said)
    expected = class_weights(counts=[2, 1, 0], scheme="effective_number", beta=0.5, absent="zero")
    assert_close(scores.class_weights, expected.class_weights, rtol=0)


def test_ignore_index_needs_class_indices() -> None:
    """It is refused beside counts and shares, which have no indices, rather than forgotten."""
    for sent in ({"counts": [1, 2]}, {"targets": [[0.5, 0.5]]}):
        with pytest.raises(InvalidInputError, match="ignore_index"):
            class_weights(**sent, ignore_index=1)


def test_an_offender_is_named_where_it_stands() -> None:
    """Ignored indices before it do not move the pointer."""
    with pytest.raises(InvalidInputError) as caught:
        class_weights(targets=[9, 0, 7], classes=2, ignore_index=9)
    assert [problem.pointer for problem in caught.value.problems] == ["/targets/2"]


def test_counts_that_overflow_are_refused() -> None:
    """Their sum is no double, so no weight would be one."""
    with pytest.raises(InvalidInputError, match="finite"):
        class_weights(counts=[1e308, 1e308])
