"""The vocabulary of a language model: 50 257 classes, few rows, the same bounds."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.accuracy import exact, rows
from lossmeter.engine import divergence, score, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 50_257

some = pytest.mark.parametrize(
    ("gap", "precision"), [(0.0, "float64"), (699.7, "float64"), (30.3, "float32")], ids=str
)
others = pytest.mark.parametrize(
    ("gap", "precision"),
    [(1e-12, "float64"), (30.3, "float64"), (85.3, "float64"), (0.0, "float32"), (85.3, "float32")],
    ids=str,
)


def row(gap: float, precision: str) -> NDArray[Any]:
    """Random logits, one of them raised far above the others."""
    values = np.random.default_rng(20_240_229).normal(size=CLASSES)
    values[7] = values.max() + gap
    return values.astype(precision)


@cache
def softmax_of(gap: float, precision: str) -> exact.Distribution:
    """Its softmax in 80 digits, which takes seconds."""
    return exact.softmax(row(gap, precision))


@some
def test_all(gap: float, precision: str) -> None:
    """Hard and shared targets, their gradients, and the entropy."""
    check(gap, precision)


@pytest.mark.long
@others
def test_all_of_the_others(gap: float, precision: str) -> None:
    """The same at more gaps."""
    check(gap, precision)


def check(gap: float, precision: str) -> None:
    """All that is said of one row."""
    check_hard_target(gap, precision)
    check_shared_target(gap, precision)
    model = softmax_of(gap, precision)
    assert exact.units(softmax(row(gap, precision)[None]).entropy[0], exact.entropy(model), precision) <= 8


def check_hard_target(gap: float, precision: str) -> None:
    """Cross-entropy and focal loss with their gradients, the target best or any."""
    sent, model = row(gap, precision), softmax_of(gap, precision)
    for target in (7, 11):
        for loss, phi, bound in (
            ("cross_entropy", exact.cross_entropy, 8),
            ("focal", exact.focal(2.0), rows.focal_bound(2)),
        ):
            scores = score(logits=sent[None], targets=[target], loss=loss)
            value, slope = phi(model.p[target], model.not_p[target], model.log_p[target])
            assert scores.losses is not None
            assert scores.gradients is not None
            assert exact.units(scores.losses[0], value, precision) <= bound
            gradients = scores.gradients[0]
            assert exact.units(gradients[target], slope * model.not_p[target], precision) <= bound
            for place in (7, 11, *range(100, CLASSES, 997)):
                if place != target:
                    assert exact.units(gradients[place], -slope * model.p[place], precision) <= bound
            assert exact.closes(gradients)


def check_shared_target(gap: float, precision: str) -> None:
    """Smoothed cross-entropy and its gradients, within 8 of p and t."""
    sent, model = row(gap, precision), softmax_of(gap, precision)
    truth = exact.smoothed(np.eye(1, CLASSES, 11)[0], 0.1, [False] * CLASSES)
    scores = score(logits=sent[None], targets=[11], label_smoothing=0.1)
    value, _ = exact.row_loss(exact.cross_entropy, truth.p, model)
    assert scores.losses is not None
    assert scores.gradients is not None
    assert exact.units(scores.losses[0], value, precision) <= 8
    for place in (7, 11, *range(100, CLASSES, 997)):
        p, t = model.p[place], truth.p[place]
        assert exact.units(scores.gradients[0, place], p - t, precision, p + t) <= 8
    assert exact.closes(scores.gradients[0])


def check_divergences(distance: float, precision: str) -> None:
    """Both Kullback-Leibler divergences and Jensen-Shannon."""
    a = row(3.0, precision)
    b = (a + distance * np.random.default_rng(1).normal(size=CLASSES)).astype(precision)
    p, q = softmax_of(3.0, precision), exact.softmax(b)
    result = divergence(p_logits=a[None], q_logits=b[None])
    assert exact.units(result.kl_divergence[0], exact.relative_entropy(p, q), precision) <= 8
    assert exact.units(result.reverse_kl_divergence[0], exact.relative_entropy(q, p), precision) <= 8
    assert exact.units(result.jensen_shannon[0], exact.jensen_shannon(p, q), precision) <= 8


def test_divergences_of_near_rows() -> None:
    """Rows that differ by 1e-9."""
    check_divergences(1e-9, "float64")


@pytest.mark.long
@pytest.mark.parametrize(
    ("distance", "precision"), [(1e-3, "float64"), (10.0, "float64"), (1e-3, "float32")], ids=str
)
def test_divergences(distance: float, precision: str) -> None:
    """From near to far."""
    check_divergences(distance, precision)


def test_rows_of_one_size_close() -> None:
    """Where no entry stands out, the rounding of 50 257 of them is still undone."""
    sent = np.random.default_rng(3).normal(size=(3, CLASSES))
    truth = np.full((3, CLASSES), 1 / CLASSES)
    scores = score(logits=sent, targets=truth)
    assert scores.gradients is not None
    assert all(exact.closes(gradients) for gradients in scores.gradients)
