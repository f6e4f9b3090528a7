"""Entropies and divergences of two distributions, against 80 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import divergence

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from numpy.typing import NDArray

    from lossmeter.engine.results import DivergenceResult

Pair = tuple["NDArray[Any]", "NDArray[Any]"]


@st.composite
def pairs_of_logits(draw: DrawFn) -> Pair:
    """Two rows, as near as 1e-12 or as far as it gets."""
    row = draw(rows.logits(draw(st.integers(2, rows.MOST_CLASSES))))
    dtype = draw(rows.dtypes)
    return rows.one(row, dtype), rows.one(draw(rows.neighbours(row)), dtype)


@st.composite
def pairs_of_probabilities(draw: DrawFn) -> Pair:
    """Two rows that sum to 1 exactly."""
    dtype, bits = draw(st.sampled_from([(np.float64, 50), (np.float32, 22)]))
    p = draw(rows.dyadic(draw(st.integers(2, rows.MOST_CLASSES)), bits))
    q = draw(rows.moved(p, bits)) if draw(st.booleans()) else draw(rows.dyadic(len(p), bits))
    return rows.one(p, dtype), rows.one(q, dtype)


def check(result: DivergenceResult, p: exact.Distribution, q: exact.Distribution) -> None:
    """Every number of the answer."""
    truths = {
        "p_entropy": exact.entropy(p),
        "q_entropy": exact.entropy(q),
        "kl_divergence": exact.relative_entropy(p, q),
        "reverse_kl_divergence": exact.relative_entropy(q, p),
        "jensen_shannon": exact.jensen_shannon(p, q),
    }
    for name, truth in truths.items():
        returned = getattr(result, name)[0]
        assert returned >= 0, name
        assert not np.signbit(returned), name
        assert exact.units(returned, truth, returned.dtype.type) <= 8, name
    assert result.cross_entropy[0] == result.p_entropy[0] + result.kl_divergence[0]


def check_logits(pair: Pair) -> None:
    """Rows as logits, and what each class contributes: within 8 of the largest contribution."""
    p, q = exact.softmax(pair[0][0]), exact.softmax(pair[1][0])
    result = divergence(p_logits=pair[0], q_logits=pair[1], include=["contributions"])
    check(result, p, q)
    logarithms = zip(p.p, p.log_p, q.log_p, strict=True)
    truths = [exact.times(share, left - right) for share, left, right in logarithms]
    largest = max([abs(each) for each in truths])
    assert result.contributions is not None
    if not exact.context.isinf(largest):
        for got, truth in zip(result.contributions[0], truths, strict=True):
            assert exact.units(got, truth, got.dtype.type, largest) <= 8


@given(pair=pairs_of_logits())
@rows.thoroughly
def test_from_logits(pair: Pair) -> None:
    """At most 8 units for logits as near as 1e-12, as far as 700, masked, and 1e15 from 0."""
    check_logits(pair)


@pytest.mark.long
@given(pair=pairs_of_logits())
@rows.at_length
def test_from_logits_at_length(pair: Pair) -> None:
    """The same on ten times as many pairs, others in every run."""
    check_logits(pair)


@given(pair=pairs_of_probabilities())
@rows.thoroughly
def test_from_probabilities(pair: Pair) -> None:
    """At most 8 units for probabilities that differ by as little as their last bit."""
    p, q = pair
    check(divergence(p=p, q=q), exact.as_sent(p[0]), exact.as_sent(q[0]))


@given(row=st.integers(2, 7).flatmap(rows.logits), shift=st.integers(-1000, 1000))
@rows.thoroughly
def test_nothing_from_itself(row: NDArray[Any], shift: int) -> None:
    """A row diverges from itself, and from itself shifted by what its logits can hold, by exactly 0."""
    row = np.rint(row * 2**20) / 2**20 if np.abs(row[np.isfinite(row)]).max() < 2**20 else row
    result = divergence(p_logits=row[None], q_logits=row[None] + shift)
    assert result.kl_divergence[0] == result.reverse_kl_divergence[0] == result.jensen_shannon[0] == 0
