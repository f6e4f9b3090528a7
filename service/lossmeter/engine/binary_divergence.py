"""What a prediction of a label lacks of its truth: both are distributions over two outcomes.

A label is given by the minor share r of its truth, and by what the model gave to the nearer outcome, which is true with
1 − r, and to the other, true with r. The bounds are those of ``divergence_terms``: for r and the p as computed. Where
the two distributions nearly agree the KL is about (p−r)²/(2r(1−r)), and a relative error d of p is one of 2dp/|p−r| in
it: no arithmetic on p mends that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.divergence_terms import pointwise, relative_entropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.outcome import Outcome


def entropies(minor: Matrix) -> Matrix:
    """−(1−r) log(1−r) − r log r of every label, nats. Bound: 5."""
    return (minor - 1) * np.log1p(-minor) - np.where(minor > 0, minor * np.log(minor), 0)


def divergences(minor: Matrix, nearer: Outcome, other: Outcome) -> Matrix:
    """KL of every label's truth from its prediction, nats; not below 0 where probabilities were clipped."""
    return _by_label(minor, nearer, other, relative_entropy)


def contributions(minor: Matrix, nearer: Outcome, other: Outcome) -> Matrix:
    """The same, and below 0 where clipping makes it so."""

    def both(a: Matrix, log_a: Matrix, b: Matrix, log_b: Matrix, difference: Matrix) -> Vector:
        parts = pointwise(a, log_a, b, log_b, difference)
        return parts[:, 0] + parts[:, 1]

    return _by_label(minor, nearer, other, both)


def _by_label(minor: Matrix, nearer: Outcome, other: Outcome, of_pairs: Callable[..., Vector]) -> Matrix:
    """−log p of the truth where it is hard, elsewhere what is asked about the pairs of distributions."""
    values = 0.0 - nearer.log_p
    soft = minor > 0
    if soft.any():
        r = minor[soft]
        values[soft] = of_pairs(
            np.stack([1 - r, r], axis=1),
            np.stack([np.log1p(-r), np.log(r)], axis=1),
            np.stack([nearer.p[soft], other.p[soft]], axis=1),
            np.stack([nearer.log_p[soft], other.log_p[soft]], axis=1),
            np.stack([r - nearer.not_p[soft], other.p[soft] - r], axis=1),
        )
    return values
