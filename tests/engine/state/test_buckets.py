"""Quantiles: the buckets of DDSketch, key by key, and within 1 % of the exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from ddsketch.mapping import CubicallyInterpolatedMapping

from lossmeter.engine import State, merge, score
from lossmeter.engine.state.buckets import ACCURACY, OF_ZERO, OFFSET, bucket_keys, bucket_values
from lossmeter.errors import InvalidInputError

RNG = np.random.default_rng(5)
PEER = CubicallyInterpolatedMapping(ACCURACY)


def state_of(losses: np.ndarray[tuple[int], np.dtype[np.float64]], **options: object) -> State:
    """The state of rows that cost exactly so much."""
    rows = np.stack([-losses, np.log(-np.expm1(-losses))], axis=1)
    state = score(
        log_probabilities=rows,
        targets=np.zeros(len(losses), int),
        include=["state"],
        **options,  # type: ignore[arg-type]
    ).state
    assert state is not None
    return state


def test_keys_are_those_of_ddsketch() -> None:
    """Over the whole range of doubles a loss lies where the reference implementation puts it."""
    losses = RNG.random(2000) * 2.0 ** RNG.integers(-1000, 1000, 2000)
    assert (bucket_keys(losses) - OFFSET).tolist() == [PEER.key(loss) for loss in losses]


def test_a_bucket_is_within_one_percent_of_its_losses() -> None:
    """What stands for a bucket is near everything in it, down to denormals."""
    losses = RNG.random(2000) * 2.0 ** RNG.integers(-1020, 1020, 2000)
    values = bucket_values(bucket_keys(losses))
    assert (np.abs(values - losses) <= losses * ACCURACY * (1 + 1e-9)).all()
    assert bucket_values(bucket_keys(np.array([0.0, 5e-324]))).tolist() == [0, 5e-324]
    assert bucket_keys(np.array([0.0])).tolist() == [OF_ZERO]


@pytest.mark.parametrize("q", [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0])
def test_quantiles_are_within_one_percent(q: float) -> None:
    """The quantile of a merged state is near that of all its losses."""
    losses = np.exp(RNG.normal(size=3000) * 3 - 3)
    whole = merge([state_of(part) for part in np.array_split(losses, 7)])
    exact = np.quantile(losses, q, method="inverted_cdf")
    assert whole.quantile(q) == pytest.approx(exact, rel=ACCURACY * 1.001)


def test_quantiles_are_weighted() -> None:
    """A row counts by its weight, one of no weight not at all; its loss is that before weights."""
    losses = np.exp(RNG.normal(size=500))
    weights = RNG.integers(0, 4, 500)
    state = state_of(losses, sample_weights=weights)
    exact = np.quantile(np.repeat(losses, weights), 0.3, method="inverted_cdf")
    assert state.quantile(0.3) == pytest.approx(exact, rel=ACCURACY * 1.001)


def test_infinite_losses_are_the_last() -> None:
    """A quantile among the certain misses is infinite; without any weight it is 0."""
    state = score(
        probabilities=[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.5, 0.5]],
        targets=[0, 0, 0, 0],
        include=["state"],
    ).state
    assert state is not None
    assert [state.quantile(q) for q in (0, 0.25, 1)] == [0, 0, float("inf")]
    assert state.quantile(0.5) == pytest.approx(np.log(2), rel=0.01)
    assert state_of(np.ones(2), sample_weights=[0, 0]).quantile(0.5) == 0


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_quantile_is_in_the_unit_interval(q: float) -> None:
    """Other shares are refused."""
    with pytest.raises(InvalidInputError, match=r"\[0, 1\]"):
        state_of(np.ones(2)).quantile(q)
