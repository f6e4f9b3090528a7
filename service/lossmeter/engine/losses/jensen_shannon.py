"""Jensen–Shannon divergence: the bounded, symmetric one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.divergence_terms import gap, jensen_shannon, lean
from lossmeter.engine.losses.base import DivergenceLoss

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class JensenShannon(DivergenceLoss):
    r"""L = ½ KL(t‖m) + ½ KL(p‖m) with m = (t+p)/2, in nats: between 0 and log 2, finite for every pair.

    Source: Lin, "Divergence Measures Based on the Shannon Entropy", IEEE Transactions on Information Theory 37 (1991).
    """

    name: ClassVar[str] = "jensen_shannon"
    title: ClassVar[str] = "Jensen-Shannon divergence"
    summary: ClassVar[str] = (
        "The symmetric divergence of truth and model from their mean: at most log 2, never infinite."
    )
    formula: ClassVar[str] = (
        r"\tfrac12\sum_c t_c \log\frac{2 t_c}{t_c+p_c} + \tfrac12\sum_c p_c \log\frac{2 p_c}{t_c+p_c}"
    )
    reference: ClassVar[str] = (
        "Lin, Divergence Measures Based on the Shannon Entropy, IEEE Trans. Inf. Theory 37 (1991)"
    )

    def rows(self, targets: Matrix, outcome: Outcome) -> Vector:
        """JS(t, p)."""
        return jensen_shannon(targets, outcome.p, gap(targets, outcome.p, outcome.not_p))

    def slopes(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """½ p_c log(p_c/m_c)."""
        return np.where(outcome.p > 0, outcome.p * self.slopes_by_probability(targets, outcome), 0)

    def slopes_by_probability(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """½ log(p/m): from v = (t−p)/(t+p) as ½ log(1 − v), where p ≪ t from its own logarithm."""
        both = targets + outcome.p
        tilt = lean(both, gap(targets, outcome.p, outcome.not_p))
        near = tilt <= 0.5  # noqa: PLR2004  one half: beyond it 1 − v would be a difference
        apart = outcome.log_p + np.log(2 / both)
        return 0.5 * np.where(near, np.log1p(-np.where(near, tilt, 0)), apart)
