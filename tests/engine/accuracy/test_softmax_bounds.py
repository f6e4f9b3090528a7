"""Softmax by itself, against 80 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray


@given(
    row=st.integers(2, rows.MOST_CLASSES).flatmap(rows.logits),
    dtype=rows.dtypes,
    temperature=rows.temperatures,
)
@rows.thoroughly
def test_bounds(row: NDArray[Any], dtype: type[np.floating[Any]], temperature: float) -> None:
    """Probabilities, logarithms and entropy within 8, the log-sum-exp within 8 of the largest logit or of itself."""
    sent = rows.one(row, dtype)
    result = softmax(sent, temperature=temperature)
    truth = exact.softmax(sent[0], temperature)
    for place in range(len(row)):
        assert exact.units(result.probabilities[0, place], truth.p[place], dtype) <= 8
        assert exact.units(result.log_probabilities[0, place], truth.log_p[place], dtype) <= 8
    assert exact.units(result.entropy[0], exact.entropy(truth), dtype) <= 8
    top = exact.mpf(float(sent.max())) / exact.mpf(temperature)
    assert exact.units(result.log_sum_exp[0], top - max(truth.log_p), dtype, top) <= 8
    assert not np.signbit(result.log_probabilities[result.log_probabilities == 0]).any()
