"""Binary focal loss: the loss of dense object detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.losses.base import BinaryLoss, TargetLoss, parameter
from lossmeter.engine.losses.focal import Focal

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector


@dataclass(frozen=True, eq=False)
class BinaryFocal(BinaryLoss):
    r"""L = −Σ_l (α t_l (1−p_l)^γ log p_l + (1−α)(1−t_l) p_l^γ log(1−p_l)), in nats; without α both factors are 1.

    Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017, equation 5.
    """

    name: ClassVar[str] = "binary_focal"
    title: ClassVar[str] = "Binary focal loss"
    summary: ClassVar[str] = (
        "Binary cross-entropy times (1-p)^gamma of the true outcome, optionally balanced by alpha."
    )
    formula: ClassVar[str] = (
        r"-\sum_l \left(\alpha t_l (1-p_l)^\gamma \log p_l + (1-\alpha)(1-t_l) p_l^\gamma \log(1-p_l)\right)"
    )
    reference: ClassVar[str] = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017"

    gamma: float = parameter(
        default=2.0, minimum=0, description="How fast easy examples fade; 0 is binary cross-entropy."
    )
    alpha: float | None = parameter(
        default=None,
        minimum=0,
        maximum=1,
        description="The factor for the truth 1; 1 - alpha is that for the truth 0. Absent: both are 1.",
    )

    @property
    def of_outcome(self) -> TargetLoss:
        """The focal φ."""
        return Focal(gamma=self.gamma)

    def outcome_factors(self) -> tuple[float | Vector, float | Vector]:
        """(α, 1−α)."""
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)
