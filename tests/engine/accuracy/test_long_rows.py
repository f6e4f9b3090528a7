"""Rows long enough to be worked on along their own memory, where float32 may be exponentiated as it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import divergence, score, softmax
from lossmeter.engine.summation import total

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn
    from numpy.typing import NDArray

occasionally = settings(rows.thoroughly, max_examples=200)
"""A row of 80 classes takes as long as ten of 8."""


@st.composite
def long_rows(draw: DrawFn) -> NDArray[Any]:
    """Random logits of one scale, one of them raised, all of them moved."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = draw(rows.powers(-6, 1.5)) * random.normal(size=draw(st.integers(60, 90)))
    values[draw(st.integers(0, 59))] += draw(st.one_of(st.just(0.0), rows.powers(-3, 2.8)))
    return (values + draw(st.sampled_from([0.0, 0.0, -30.0, 20.0, 1e6]))).astype(draw(rows.dtypes))


def check_hard(row: NDArray[Any], target: int, temperature: float = 1.0) -> None:
    """Cross-entropy and focal loss, every entry of their gradients, and what is said of KL."""
    model, dtype = exact.softmax(row, temperature), row.dtype.type
    for loss, phi, promised in (
        ("cross_entropy", exact.cross_entropy, 8),
        ("focal", exact.focal(2.0), rows.focal_bound(2)),
    ):
        bound = rows.in_precision(promised, dtype)
        scores = score(logits=row[None], targets=[target], loss=loss, temperature=temperature)
        value, slope = phi(model.p[target], model.not_p[target], model.log_p[target])
        assert scores.losses is not None
        assert scores.gradients is not None
        assert exact.units(scores.losses[0], value, dtype) <= bound, loss
        for place, returned in enumerate(scores.gradients[0]):
            moves = model.not_p[target] if place == target else -model.p[place]
            assert exact.units(returned, slope * moves / exact.mpf(temperature), dtype) <= bound, (
                loss,
                place,
            )
        assert exact.closes(scores.gradients[0])


@given(row=long_rows(), at=st.one_of(st.none(), st.integers(0, 59)), temperature=rows.temperatures)
@occasionally
def test_hard_targets(row: NDArray[Any], at: int | None, temperature: float) -> None:
    """The best class or any as the target."""
    check_hard(row, int(np.argmax(row)) if at is None else at, temperature)


@pytest.mark.parametrize(
    ("values", "precision"),
    [
        ([-339.0, -339.0, -740.0], "float64"),
        ([*[-39.0] * 69, -110.0], "float32"),
        ([*[-300.0] * 69, -300.5, -730.0], "float64"),
        ([80.0, *[0.0] * 69], "float32"),
        ([-100.0, *[-180.0] * 69], "float32"),
    ],
)
def test_far_from_0(values: list[float], precision: str) -> None:
    """Logits whose exponentials underflow or overflow although the probabilities do not."""
    row = np.array(values, precision)
    for target in (0, 1, len(row) - 1):
        check_hard(row, target)


@given(row=long_rows(), smoothing=st.sampled_from([0.1, 0.5]), at=st.integers(0, 59))
@occasionally
def test_smoothed_targets(row: NDArray[Any], smoothing: float, at: int) -> None:
    """Smoothed cross-entropy and its gradient, within 8 of p and t; rows that sum to 0."""
    model, dtype = exact.softmax(row), row.dtype.type
    truth = exact.smoothed(np.eye(1, len(row), at)[0], smoothing, [False] * len(row))
    scores = score(logits=row[None], targets=[at], label_smoothing=smoothing)
    value, _ = exact.row_loss(exact.cross_entropy, truth.p, model)
    assert scores.losses is not None
    assert scores.gradients is not None
    assert exact.units(scores.losses[0], value, dtype) <= 8
    for returned, p, t in zip(scores.gradients[0], model.p, truth.p, strict=True):
        assert exact.units(returned, p - t, dtype, p + t) <= 8
    assert exact.closes(scores.gradients[0])


@given(row=long_rows(), distance=rows.powers(-12, 1), seed=st.integers(0, 2**32))
@occasionally
def test_divergences(row: NDArray[Any], distance: float, seed: int) -> None:
    """Entropies, both Kullback-Leibler divergences and Jensen-Shannon."""
    other = row + (distance * np.random.default_rng(seed).normal(size=len(row))).astype(row.dtype)
    p, q, dtype = exact.softmax(row), exact.softmax(other), row.dtype.type
    result = divergence(p_logits=row[None], q_logits=other[None])
    assert exact.units(result.p_entropy[0], exact.entropy(p), dtype) <= 8
    assert exact.units(result.kl_divergence[0], exact.relative_entropy(p, q), dtype) <= 8
    assert exact.units(result.reverse_kl_divergence[0], exact.relative_entropy(q, p), dtype) <= 8
    assert exact.units(result.jensen_shannon[0], exact.jensen_shannon(p, q), dtype) <= 8
    assert exact.units(softmax(row[None]).entropy[0], exact.entropy(p), dtype) <= 8


@pytest.mark.parametrize("kind", ["alike", "far apart"])
def test_ten_million_losses_are_summed_to_the_last_unit(kind: str) -> None:
    """At most 1 unit from the correctly rounded sum, and the same bits whatever the threads."""
    rng = np.random.default_rng(7)
    values = rng.exponential(size=10_000_000)
    if kind == "far apart":
        values **= 20
    exact = math.fsum(values)
    found = total(values)
    assert abs(found - exact) <= math.ulp(exact)
    assert found == total(values, threads=1)
