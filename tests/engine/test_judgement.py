"""What predictions are like, held against softmax and metrics, which are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossmeter import engine
from lossmeter.engine.judgement import judge

SHAPES = [(1, 2), (3, 3), (200, 2), (500, 10), (300, 80), (3, 1000), (70_000, 4)]


def drawn(n: int, classes: int, dtype: str, *, coarse: bool) -> tuple[Any, Any]:
    """Logits with masked classes, with ties if they are coarse, and targets that are not masked."""
    random = np.random.default_rng(n + classes)
    logits = random.normal(size=(n, classes)) * 3
    if coarse:
        logits = np.round(logits)
    targets = random.integers(0, classes, n)
    masked = random.random((n, classes)) < 0.1
    masked[np.arange(n), targets] = False
    return np.where(masked, -np.inf, logits).astype(dtype), targets


@pytest.mark.parametrize("coarse", [False, True], ids=["fine", "ties"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_are_those_of_softmax(shape: tuple[int, int], dtype: str, *, coarse: bool) -> None:
    """Entropy, confidence and hits of logits, probabilities and their logarithms, at a temperature as well."""
    logits, targets = drawn(*shape, dtype, coarse=coarse)
    close = 1e-4 if dtype == "float32" else 1e-12
    right = int(np.count_nonzero(np.argmax(logits, axis=1) == targets))
    for temperature in (1.0, 2.5):
        exact = engine.softmax(logits, temperature=temperature)
        found = judge("logits", logits, targets, temperature=temperature)
        assert (found.rows, found.classified, found.correct) == (len(logits), len(logits), right)
        assert found.entropy == pytest.approx(np.sum(exact.entropy, dtype=float), rel=close)
        assert found.confidence == pytest.approx(
            np.sum(np.max(exact.probabilities, axis=1), dtype=float), rel=close
        )
    exact = engine.softmax(logits)
    kinds = {"probabilities": exact.probabilities, "log_probabilities": exact.log_probabilities}
    for kind, values in kinds.items():
        found = judge(kind, values, targets.astype(float))
        assert found.entropy == pytest.approx(np.sum(exact.entropy, dtype=float), rel=close)
        assert found.correct == np.count_nonzero(np.argmax(values, axis=1) == targets)


def test_ignored_rows_are_left_out() -> None:
    """Whatever they hold."""
    logits, targets = drawn(40, 3, "float64", coarse=False)
    kept = judge("logits", logits, targets)
    more = np.concatenate([logits, np.full((5, 3), np.nan)])
    assert judge("logits", more, np.append(targets, [-1] * 5), ignore_index=-1) == kept
    assert judge("logits", more[40:], np.full(5, -1), ignore_index=-1).rows == 0


def test_shared_truth_is_neither_right_nor_wrong() -> None:
    """Only rows whose truth is one class are classified; one-hot is one class."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = judge("probabilities", probabilities, np.array([[1, 0], [1, 0], [0.5, 0.5]]))
    assert (found.rows, found.classified, found.correct) == (3, 2, 1)


@pytest.mark.parametrize("kind", ["logits", "probabilities", "log_probabilities"])
def test_one_number_per_row_is_two_classes(kind: str) -> None:
    """It is of the second; a truth between 0 and 1 is shared."""
    z = np.array([-3.0, 0.5, 2.0, 0.1])
    both = engine.softmax(np.stack([0 * z, z], axis=1))
    sent = {
        "logits": z,
        "probabilities": both.probabilities[:, 1],
        "log_probabilities": both.log_probabilities[:, 1],
    }
    found = judge(kind, sent[kind], np.array([0.0, 1.0, 0.0, 0.5]))
    assert (found.rows, found.classified, found.correct) == (4, 3, 2)
    assert found.entropy == pytest.approx(np.sum(both.entropy))
    assert found.confidence == pytest.approx(np.sum(np.max(both.probabilities, axis=1)))
