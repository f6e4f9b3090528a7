"""Poly-1: cross-entropy with the first coefficient of its series in 1−p changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.divergence_terms import NEAR
from lossmeter.engine.losses.base import TargetLoss, parameter
from lossmeter.engine.numerics import log1p_minus

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class Poly1(TargetLoss):
    r"""L = Σ_c t_c (−log p_c + ε (1−p_c)), in nats.

    Source: Leng, Tan, Liu, Cubuk, Shi, Cheng, Anguelov, "PolyLoss: A Polynomial Expansion Perspective of
    Classification Loss Functions", ICLR 2022, equation 6.
    """

    name: ClassVar[str] = "poly1"
    title: ClassVar[str] = "Poly-1"
    summary: ClassVar[str] = (
        "Cross-entropy plus epsilon (1-p): epsilon > 0 presses harder on what is not yet certain."
    )
    formula: ClassVar[str] = r"\sum_c t_c \left(-\log p_c + \varepsilon (1 - p_c)\right)"
    reference: ClassVar[str] = "Leng et al., PolyLoss, ICLR 2022"

    epsilon: float = parameter(
        default=1.0,
        minimum=-1,
        description="The change of the first coefficient; 0 is cross-entropy, below -1 the loss would be negative.",
    )

    def phi(self, outcome: Outcome) -> Floats:
        """−log p + ε (1−p), as (−log p − (1−p)) + (1+ε)(1−p): near ε = −1 nothing cancels."""
        beyond = np.where(outcome.not_p < NEAR, log1p_minus(-outcome.not_p), -outcome.log_p - outcome.not_p)
        return beyond + (1 + self.epsilon) * outcome.not_p

    def slope(self, outcome: Outcome) -> Floats:
        """−1 − ε p = −(1+ε) p − (1−p)."""
        return -(1 + self.epsilon) * outcome.p - outcome.not_p
