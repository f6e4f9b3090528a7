"""Two distributions per row, compared: from their probabilities, or, where both came as logits, from those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import logit_divergences
from lossmeter.engine.arrays import Matrix, Vector
from lossmeter.engine.divergence_terms import (
    jensen_shannon,
    pointwise,
    relative_entropy,
    tilted_jensen_shannon,
)

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What is said about p and q, nats.

    Attributes:
        forward: ``Float64[rows]``, KL(p‖q).
        backward: ``Float64[rows]``, KL(q‖p).
        jensen_shannon: ``Float64[rows]``.
        contributions: ``Float64[rows, classes]``, p log(p/q).
    """

    forward: Vector
    backward: Vector
    jensen_shannon: Vector
    contributions: Matrix


def between_probabilities(p: Outcome, q: Outcome) -> Pair:
    """From p and q as they are."""
    difference = _difference(p.p, p.not_p, q.p, q.not_p)
    return Pair(
        relative_entropy(p.p, p.log_p, q.p, q.log_p, difference),
        relative_entropy(q.p, q.log_p, p.p, p.log_p, -difference),
        jensen_shannon(p.p, q.p, difference),
        pointwise(p.p, p.log_p, q.p, q.log_p, difference),
    )


def between_logits(a: Matrix, p: Outcome, b: Matrix, q: Outcome) -> Pair:
    """From logits a and b, whose softmaxes are p and q."""
    ratio = logit_divergences.log_ratio(a, p, b, q)
    return Pair(
        logit_divergences.relative_entropy(a, p.p, b, q.p),
        logit_divergences.relative_entropy(b, q.p, a, p.p),
        tilted_jensen_shannon(p.p, q.p, np.tanh(-0.5 * ratio)),
        np.where(p.p > 0, -p.p * ratio, 0),
    )


def _difference(p: Floats, not_p: Floats, q: Floats, not_q: Floats) -> Floats:
    """The difference q − p, from the small sides where both are above one half."""
    return np.where((p > 0.5) & (q > 0.5), not_p - not_q, q - p)  # noqa: PLR2004  one half
