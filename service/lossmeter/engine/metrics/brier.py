"""The Brier score, on both of its scales."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class BrierScore(Metric):
    """Σ w Σ_c (p_c − t_c)² / Σ w, in 0 … 2: Brier's own scale, for two classes as for many.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).
    """

    name: ClassVar[str] = "brier_score"
    title: ClassVar[str] = "Brier score"
    summary: ClassVar[str] = "The mean squared distance of the probabilities from the truth, 0 to 2."
    formula: ClassVar[str] = r"\frac{1}{W} \sum_i w_i \sum_c (p_{ic} - t_{ic})^2"
    reference: ClassVar[str] = (
        "Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950)"
    )

    def of(self, evidence: Evidence) -> float:
        """In [0, 2]."""
        return evidence.brier


class HalfBrierScore(Metric):
    """Half of it, in 0 … 1: for two classes the squared error of p₁, which scikit-learn calls the Brier score there.

    Source: Brier (1950); scikit-learn, ``brier_score_loss`` with ``scale_by_half``.
    """

    name: ClassVar[str] = "half_brier_score"
    title: ClassVar[str] = "Half Brier score"
    summary: ClassVar[str] = "Half the Brier score, 0 to 1: for two classes the mean of (p₁ − y)²."
    formula: ClassVar[str] = r"\frac{1}{2W} \sum_i w_i \sum_c (p_{ic} - t_{ic})^2"
    reference: ClassVar[str] = BrierScore.reference

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        return evidence.brier / 2
