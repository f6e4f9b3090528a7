"""Binary cross-entropy: one independent yes-or-no per label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lossmeter.engine.arrays import Vector
from lossmeter.engine.losses.base import BinaryLoss, TargetLoss, parameter
from lossmeter.engine.losses.cross_entropy import CrossEntropy


@dataclass(frozen=True, eq=False)
class BinaryCrossEntropy(BinaryLoss):
    r"""L = −Σ_l (w₊ t_l log p_l + (1−t_l) log(1−p_l)), in nats, with p = 1/(1+e^−z) where logits z are sent.

    Source: Cox, "The Regression Analysis of Binary Sequences", Journal of the Royal Statistical Society B 20 (1958).
    """

    name: ClassVar[str] = "binary_cross_entropy"
    title: ClassVar[str] = "Binary cross-entropy"
    summary: ClassVar[str] = "Log loss of independent yes-or-no labels: logistic loss, sigmoid cross-entropy."
    formula: ClassVar[str] = r"-\sum_l \left(w_+ t_l \log p_l + (1 - t_l) \log(1 - p_l)\right)"
    reference: ClassVar[str] = "Cox, The Regression Analysis of Binary Sequences, JRSS B 20 (1958)"

    pos_weight: float | Vector | None = parameter(
        default=None,
        minimum=0,
        vector=True,
        description="A factor for the truth 1, a number or Float[labels]; it does not enter the denominator of a mean.",
    )

    @property
    def of_outcome(self) -> TargetLoss:
        """−log p."""
        return CrossEntropy()

    def outcome_factors(self) -> tuple[float | Vector, float | Vector]:
        """(pos_weight, 1)."""
        return (1.0 if self.pos_weight is None else self.pos_weight), 1.0
