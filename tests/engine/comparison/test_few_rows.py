"""States of next to nothing: numbers or reasons, never a failure and never a spread that is only rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossmeter.engine import State, compare, report, score


def state(logits: object, weights: object) -> State:
    """What rows of class 0 leave behind."""
    count = len(weights)  # type: ignore[arg-type]
    found = score(logits=logits, targets=[0] * count, sample_weights=weights, include=["state"]).state  # type: ignore[arg-type]
    assert found is not None
    return found


@given(
    st.lists(
        st.tuples(st.floats(-800, 800), st.sampled_from([0, 1, 1e-9, 0.3, 1e150])), min_size=1, max_size=6
    )
)
def test_something_is_always_told(rows: list[tuple[float, float]]) -> None:
    """Any few rows have a report and compare with any others."""
    some = state([[gap, 0] for gap, _ in rows], [weight for _, weight in rows])
    few = state([[1, 0], [0.5, 0]], [1, 1])
    for told in (report(some), compare(some, few).current, compare(few, some).current):
        assert (told.interval is None) <= (told.caution is not None)


@given(st.floats(-30, 30), st.lists(st.floats(0.01, 1), min_size=2, max_size=30))
def test_equal_losses_have_no_spread(gap: float, weights: list[float]) -> None:
    """Whatever they weigh: what rounding adds is none of theirs."""
    told = report(state([[gap, 0]] * len(weights), weights))
    assert told.standard_error in {0, None}  # None: where one row has nearly all the weight
    assert told.interval is None


def test_one_finite_row_beside_an_infinite_one() -> None:
    """The mean of the one is told without an interval."""
    found = score(probabilities=[[0.3, 0.7], [0.0, 1.0]], targets=[0, 0], include=["state"]).state
    assert found is not None
    told = report(found)
    assert (told.loss, told.infinite, told.interval) == (np.inf, 1, None)
    assert told.finite_loss == pytest.approx(-np.log(0.3))
