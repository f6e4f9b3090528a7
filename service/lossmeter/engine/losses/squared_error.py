"""Squared error of the probabilities: the classical one, whose gradient dies where the model is surely wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.divergence_terms import gap
from lossmeter.engine.losses.base import DivergenceLoss
from lossmeter.engine.numerics import row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class SquaredError(DivergenceLoss):
    r"""L = Σ_c (p_c − t_c)², the multi-class Brier score of a row: between 0 and 2.

    With logits its gradient is 2 p_j ((p_j−t_j) − Σ_c p_c (p_c−t_c)): it vanishes with p_j, also where the model is
    certain and wrong. Compare with cross-entropy, whose gradient is then largest.

    Source: Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78 (1950).
    """

    name: ClassVar[str] = "squared_error"
    title: ClassVar[str] = "Squared error (Brier score)"
    summary: ClassVar[str] = (
        "The squared distance of the probabilities from the truth, summed over classes (0 to 2)."
    )
    formula: ClassVar[str] = r"\sum_c (p_c - t_c)^2"
    reference: ClassVar[str] = (
        "Brier, Verification of Forecasts Expressed in Terms of Probability, MWR 78 (1950)"
    )

    def rows(self, targets: Matrix, outcome: Outcome) -> Vector:
        """Σ(p−t)²."""
        distance = gap(targets, outcome.p, outcome.not_p)
        return row_sums(distance * distance)

    def slopes(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """2 p_c (p_c − t_c)."""
        return 2 * outcome.p * gap(targets, outcome.p, outcome.not_p)

    def slopes_by_probability(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """2 (p − t)."""
        return 2 * gap(targets, outcome.p, outcome.not_p)
