"""Losses and gradients with respect to probabilities and log-probabilities as sent, against 80 digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import score

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOSSES: list[tuple[dict[str, Any], exact.Phi, float]] = [
    ({"name": "cross_entropy"}, exact.cross_entropy, 8),
    ({"name": "focal", "gamma": 2.0}, exact.focal(2.0), 8),
    ({"name": "poly1", "epsilon": 1.0}, exact.poly1(1.0), 8),
    ({"name": "generalized_cross_entropy", "q": 0.7}, exact.generalized(0.7), 8),
]


@given(
    row=st.integers(2, rows.MOST_CLASSES).flatmap(lambda classes: rows.dyadic(classes, 40)),
    at=st.integers(0, 6),
)
@rows.thoroughly
def test_probabilities(row: NDArray[Any], at: int) -> None:
    """At most 8 units of the loss and of its slope by p at the target, 0 elsewhere."""
    target = at % len(row)
    for loss, phi, bound in LOSSES:
        scores = score(probabilities=row[None], targets=[target], loss=loss)
        p, not_p = exact.mpf(row[target]), 1 - exact.mpf(row[target])
        if not p:
            continue  # a certain miss: other tests look at infinity
        value, slope = phi(p, not_p, exact.log(p))
        assert scores.losses is not None
        assert scores.gradients is not None
        assert exact.units(scores.losses[0], value, np.float64) <= bound, loss
        # p^(q−1) as a power of e is as wrong as its exponent is absolutely.
        slack = -float(exact.log(p)) if "q" in loss else 0
        assert exact.units(scores.gradients[0, target], slope / p, np.float64) <= bound + slack, loss
        assert not np.delete(scores.gradients[0], target).any()


@given(row=st.integers(2, rows.MOST_CLASSES).flatmap(rows.logits), at=st.integers(0, 6))
@rows.thoroughly
def test_log_probabilities(row: NDArray[Any], at: int) -> None:
    """At most 8 units of the loss and of its slope by log p at the target, however small 1 − p is."""
    sent = np.array([float(each) for each in exact.softmax(row).log_p])
    target = at % len(row)
    for loss, phi, bound in LOSSES:
        scores = score(log_probabilities=sent[None], targets=[target], loss=loss)
        if sent[target] == -np.inf:
            continue
        log_p = exact.mpf(sent[target])
        value, slope = phi(exact.exp(log_p), -exact.expm1(log_p), log_p)
        assert scores.losses is not None
        assert scores.gradients is not None
        assert exact.units(scores.losses[0], value, np.float64) <= bound, loss
        # p^q as a power of e is as wrong as q log p is absolutely.
        slack = -sent[target] if "q" in loss else 0
        assert exact.units(scores.gradients[0, target], slope, np.float64) <= bound + slack, loss
