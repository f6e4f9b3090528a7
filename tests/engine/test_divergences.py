"""Divergences of two batches, against SciPy and by their laws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from scipy.spatial.distance import jensenshannon

from engine.cases import assert_close
from lossmeter.engine import divergence

if TYPE_CHECKING:
    from lossmeter.engine.results import DivergenceResult

SEEDS = st.integers(0, 2**32 - 1)
VECTORS = (
    "p_entropy",
    "q_entropy",
    "cross_entropy",
    "kl_divergence",
    "reverse_kl_divergence",
    "jensen_shannon",
)


def pair(seed: int, classes: int, n: int = 4) -> tuple[Any, Any]:
    """Two batches of distributions."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), n), rng.dirichlet(np.ones(classes), n)


@given(SEEDS, st.integers(2, 70))
def test_against_scipy(seed: int, classes: int) -> None:
    """rel_entr, entr and jensenshannon of SciPy say the same."""
    p, q = pair(seed, classes)
    found = divergence(p=p, q=q, include=["contributions"])
    assert_close(found.contributions, special.rel_entr(p, q), rtol=1e-10, atol=1e-15)
    assert_close(found.kl_divergence, special.rel_entr(p, q).sum(axis=1), rtol=1e-9, atol=1e-13)
    assert_close(found.reverse_kl_divergence, special.rel_entr(q, p).sum(axis=1), rtol=1e-9, atol=1e-13)
    assert_close(found.p_entropy, special.entr(p).sum(axis=1), rtol=1e-12)
    assert_close(found.q_entropy, special.entr(q).sum(axis=1), rtol=1e-12)
    assert_close(found.cross_entropy, -(p * np.log(q)).sum(axis=1), rtol=1e-11)
    expected = [jensenshannon(one, other) ** 2 for one, other in zip(p, q, strict=True)]
    assert_close(found.jensen_shannon, expected, rtol=1e-8, atol=1e-14)


@given(SEEDS, st.integers(1, 70))
def test_the_two_sides_change_places(seed: int, classes: int) -> None:
    """KL and reverse KL swap with the sides, entropies too; JS is symmetric; H(p, q) = H(p) + KL to the bit."""
    p, q = pair(seed, classes)
    one, other = divergence(p=p, q=q), divergence(p=q, q=p)
    np.testing.assert_array_equal(one.kl_divergence, other.reverse_kl_divergence)
    np.testing.assert_array_equal(one.p_entropy, other.q_entropy)
    assert_close(one.jensen_shannon, other.jensen_shannon, rtol=1e-14)
    np.testing.assert_array_equal(one.cross_entropy, one.p_entropy + one.kl_divergence)
    assert (one.jensen_shannon <= math.log(2)).all()
    for name in VECTORS:
        assert (getattr(one, name) >= 0).all()


@given(SEEDS, st.integers(1, 70), st.floats(0, 500))
def test_nothing_differs_from_itself(seed: int, classes: int, spread: float) -> None:
    """All divergences of equal rows are exactly 0."""
    logits = np.random.default_rng(seed).normal(0, spread, (3, classes))
    p = special.softmax(logits, axis=1)
    for found in (divergence(p=p, q=p), divergence(p_logits=logits, q_logits=logits)):
        for name in ("kl_divergence", "reverse_kl_divergence", "jensen_shannon"):
            value = getattr(found, name)
            assert value.tobytes() == bytes(value.nbytes), name


@given(SEEDS, st.integers(2, 20))
def test_logits_are_read_through_softmax(seed: int, classes: int) -> None:
    """Either side may be logits."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 2, (3, classes)), rng.normal(0, 2, (3, classes))
    p, q = special.softmax(a, axis=1), special.softmax(b, axis=1)
    plain = divergence(p=p, q=q)
    for found in (
        divergence(p_logits=a, q_logits=b),
        divergence(p=p, q_logits=b),
        divergence(p_logits=a, q=q),
    ):
        for name in VECTORS:
            assert_close(getattr(found, name), getattr(plain, name), rtol=1e-8, atol=1e-12)


def test_bits() -> None:
    """A fair coin has one bit, and is a certain coin's one bit away (Shannon 1948)."""
    found = divergence(p=[[1.0, 0.0]], q=[[0.5, 0.5]], unit="bits", include=["contributions"])
    assert (found.q_entropy[0], found.kl_divergence[0], found.cross_entropy[0]) == (1, 1, 1)
    assert found.p_entropy[0] == 0
    np.testing.assert_array_equal(found.contributions, [[1, 0]])


def test_disjoint_supports() -> None:
    """KL is infinite both ways, JS is log 2, and nothing is NaN."""
    found = divergence(p=[[1.0, 0.0]], q=[[0.0, 1.0]], include=["contributions"])
    assert found.kl_divergence[0] == found.reverse_kl_divergence[0] == found.cross_entropy[0] == math.inf
    assert found.jensen_shannon[0] == math.log(2)
    np.testing.assert_array_equal(found.contributions, [[math.inf, 0]])


def test_shared_zeros() -> None:
    """0 log(0/0) is 0: a class that neither believes in does not count."""
    wide = divergence(p=[[0.5, 0.5, 0.0]], q=[[0.25, 0.75, 0.0]], include=["contributions"])
    narrow = divergence(p=[[0.5, 0.5]], q=[[0.25, 0.75]])
    for name in VECTORS:
        assert_close(getattr(wide, name), getattr(narrow, name), rtol=1e-15)


def test_nearly_equal_logits() -> None:
    """KL of logits that differ by 1e-9 is ½ Var_p(difference), where subtracted logarithms are negative or far off."""
    found = divergence(p_logits=[[0.0, 0.0]], q_logits=[[1e-9, 0.0]])
    assert found.kl_divergence[0] == pytest.approx(1e-18 / 8, rel=1e-6)


def arrays_of(found: DivergenceResult) -> list[Any]:
    """Every array of a result."""
    return [getattr(found, name) for name in (*VECTORS, "contributions")]


@pytest.mark.parametrize("classes", [2, 5, 64, 65])
def test_neither_threads_nor_the_batch_change_a_bit(classes: int) -> None:
    """Rows of a large batch have the bits that they have alone, from one thread and from several."""
    p, q = pair(0, classes, 200_000 // classes)
    said: dict[str, Any] = {"include": ["contributions"]}
    one, many = (arrays_of(divergence(p=p, q=q, threads=threads, **said)) for threads in (1, 3))
    for row in (0, len(p) // 2, len(p) - 1):
        alone = arrays_of(divergence(p=p[row : row + 1], q=q[row : row + 1], **said))
        for whole, part in zip(one, alone, strict=True):
            assert whole[row].tobytes() == part[0].tobytes()
    for whole, other in zip(one, many, strict=True):
        assert whole.tobytes() == other.tobytes()


def test_dtypes() -> None:
    """float32 stays float32 when both sides are; otherwise the answer is float64; -0.0 is nowhere."""
    p = np.array([[0.5, 0.5, -0.0]], np.float32)
    single = arrays_of(divergence(p=p, q=p, include=["contributions"]))
    assert {array.dtype for array in single} == {np.dtype(np.float32)}
    mixed = arrays_of(divergence(p=p, q=p.astype(np.float64), include=["contributions"]))
    assert {array.dtype for array in mixed} == {np.dtype(np.float64)}
    for array in single + mixed:
        assert not (np.signbit(array) & (array == 0)).any()
