"""Softmax by itself, against SciPy and by its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from engine.cases import assert_close
from lossmeter.engine import softmax

MODERATE = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 70)), elements=st.floats(-30, 30)
)


@given(MODERATE, st.sampled_from([1.0, 0.5, 3.0]))
def test_against_scipy(logits: np.ndarray, temperature: float) -> None:
    """Probabilities, logarithms and log-sum-exp are SciPy's."""
    result = softmax(logits, temperature=temperature)
    cooled = logits / temperature
    assert_close(result.probabilities, special.softmax(cooled, axis=1), rtol=1e-12)
    assert_close(result.log_probabilities, special.log_softmax(cooled, axis=1), rtol=1e-12, atol=1e-14)
    assert_close(result.log_sum_exp, special.logsumexp(cooled, axis=1), rtol=1e-12, atol=1e-13)
    entropy = special.entr(special.softmax(cooled, axis=1)).sum(axis=1)
    assert_close(result.entropy, entropy, rtol=1e-10, atol=1e-12)


@given(MODERATE)
def test_parts_belong_together(logits: np.ndarray) -> None:
    """P sums to 1, log p is its logarithm and x − log Σ e^x, and no entropy exceeds log C."""
    result = softmax(logits)
    assert_close(result.probabilities.sum(axis=1), np.ones(len(logits)), rtol=1e-14)
    assert_close(np.exp(result.log_probabilities), result.probabilities, rtol=1e-13)
    assert_close(logits - result.log_sum_exp[:, None], result.log_probabilities, rtol=1e-12, atol=1e-13)
    assert (result.entropy >= 0).all()
    assert (result.entropy <= math.log(logits.shape[1]) * (1 + 1e-14)).all()


def test_the_small_ends() -> None:
    """Log p = −log1p(2e^−40) and H = 2e^−40 (41 …) for [40, 0, 0]: SciPy's log_softmax has 0 (scipy#19521)."""
    result = softmax([[40.0, 0.0, 0.0]])
    tiny = math.exp(-40)
    assert_close(result.log_probabilities, [[-2 * tiny, -40, -40]], rtol=1e-15)
    assert_close(result.entropy, [2 * tiny * 41], rtol=1e-14)


def test_large_and_masked_logits() -> None:
    """±1e300 and −Infinity are certainties; log-sum-exp is the largest logit."""
    result = softmax([[1e300, -1e300, 0.0], [-np.inf, 3.0, -np.inf]])
    np.testing.assert_array_equal(result.probabilities, [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(result.log_sum_exp, [1e300, 3.0])
    np.testing.assert_array_equal(result.entropy, [0, 0])
    np.testing.assert_array_equal(result.log_probabilities, [[0, -2e300, -1e300], [-np.inf, 0, -np.inf]])
    for array in (result.probabilities, result.log_probabilities, result.log_sum_exp, result.entropy):
        assert not (np.signbit(array) & (array == 0)).any()


@pytest.mark.parametrize("classes", [2, 5, 63, 64, 65])
def test_neither_threads_nor_the_batch_change_a_bit(classes: int) -> None:
    """Rows of a large batch have the bits that they have alone, from one thread and from several."""
    logits = np.random.default_rng(0).normal(0, 10, (200_000 // classes, classes))
    one, many = softmax(logits, threads=1), softmax(logits, threads=3)
    for name in ("probabilities", "log_probabilities", "log_sum_exp", "entropy"):
        whole = getattr(one, name)
        assert whole.tobytes() == getattr(many, name).tobytes()
        for row in (0, 1, len(logits) // 2, len(logits) - 1):
            assert whole[row].tobytes() == getattr(softmax(logits[row : row + 1]), name)[0].tobytes()


def test_single_precision_stays_single() -> None:
    """float32 in, float32 out."""
    result = softmax(np.array([[1.0, 2.0]], np.float32))
    assert {array.dtype for array in (result.probabilities, result.log_sum_exp, result.entropy)} == {
        np.dtype(np.float32)
    }
    assert_close(result.probabilities, softmax([[1.0, 2.0]]).probabilities, rtol=1e-7)
