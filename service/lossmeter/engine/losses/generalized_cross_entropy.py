"""Generalized cross-entropy: a bridge from cross-entropy to the mean absolute error, for noisy labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.losses.base import TargetLoss, parameter

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class GeneralizedCrossEntropy(TargetLoss):
    r"""L = Σ_c t_c (1 − p_c^q) / q, computed as −expm1(q log p)/q.

    It is at most 1/q, so a wrong label cannot cost infinitely much. q → 0 is cross-entropy in nats, q = 1 is 1 − p.

    Source: Zhang, Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
    NeurIPS 2018.
    """

    name: ClassVar[str] = "generalized_cross_entropy"
    title: ClassVar[str] = "Generalized cross-entropy"
    summary: ClassVar[str] = (
        "(1 - p^q)/q, bounded by 1/q: between cross-entropy (q near 0) and absolute error (q = 1)."
    )
    formula: ClassVar[str] = r"\sum_c t_c \frac{1 - p_c^q}{q}"
    reference: ClassVar[str] = "Zhang & Sabuncu, Generalized Cross Entropy Loss, NeurIPS 2018"

    q: float = parameter(
        default=0.7,
        minimum=0,
        exclusive_minimum=True,
        maximum=1,
        description="The exponent; small is steep, 1 is linear.",
    )

    def phi(self, outcome: Outcome) -> Floats:
        """(1 − p^q)/q."""
        return -np.expm1(self.q * outcome.log_p) / self.q

    def slope(self, outcome: Outcome) -> Floats:
        """−p^q."""
        return -np.exp(self.q * outcome.log_p)

    def slopes_by_probability(self, outcome: Outcome, slopes: Floats) -> Floats:  # noqa: ARG002  0/0 at p = 0
        """−p^(q−1)."""
        return -np.exp((self.q - 1) * outcome.log_p) if self.q < 1 else np.full_like(outcome.p, -1)
