"""Focal loss: cross-entropy that looks away from what is already easy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.arrays import Vector
from lossmeter.engine.losses.base import TargetLoss, parameter

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class Focal(TargetLoss):
    r"""L = −Σ_c α_c t_c (1−p_c)^γ log p_c, in nats.

    The slope by log p is −(1−p)^γ (1 + γ p (−log p)/(1−p)), a sum of terms of one sign, so it keeps its accuracy
    where the model is sure; at γ < 1 it stays finite where p rounds to 1.

    Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017.
    """

    name: ClassVar[str] = "focal"
    title: ClassVar[str] = "Focal loss"
    summary: ClassVar[str] = (
        "Cross-entropy times (1-p)^gamma: easy examples count less; gamma 0 is cross-entropy."
    )
    formula: ClassVar[str] = r"-\sum_c \alpha_c t_c (1 - p_c)^\gamma \log p_c"
    reference: ClassVar[str] = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017"

    gamma: float = parameter(
        default=2.0, minimum=0, description="How fast easy examples fade; 0 is cross-entropy."
    )
    alpha: Vector | None = parameter(
        default=None,
        minimum=0,
        scalar=False,
        vector=True,
        description="A factor for each class, Float[classes]; it does not enter the denominator of a mean.",
    )

    @property
    def linear(self) -> bool:
        """With γ = 0 it is cross-entropy, to the bit."""
        return self.gamma == 0

    def phi(self, outcome: Outcome) -> Floats:
        """−(1−p)^γ log p."""
        return outcome.not_p_to(self.gamma) * -outcome.log_p

    def slope(self, outcome: Outcome) -> Floats:
        """−(1−p)^γ (1 + γ p (−log p)/(1−p)); p (−log p)/(1−p) is 1 at p = 1 and 0 at p = 0."""
        surprise = np.where(outcome.p > 0, outcome.p * -outcome.log_p, 0)
        pull = np.where(outcome.not_p > 0, surprise / outcome.not_p, 1)
        return outcome.not_p_to(self.gamma) * (-1 - self.gamma * pull)

    def class_factors(self) -> Vector | None:
        """α."""
        return self.alpha
