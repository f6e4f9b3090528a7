"""Kullback–Leibler divergence of the model from the truth, as a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.divergence_terms import gap, relative_entropy
from lossmeter.engine.losses.base import DivergenceLoss, TargetLoss
from lossmeter.engine.losses.cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class KLDivergence(DivergenceLoss):
    r"""L = KL(t‖p) = Σ_c t_c log(t_c/p_c) ≥ 0, in nats: cross-entropy less the entropy of the truth.

    Source: Kullback, Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22 (1951).
    """

    name: ClassVar[str] = "kl_divergence"
    title: ClassVar[str] = "Kullback-Leibler divergence"
    summary: ClassVar[str] = (
        "KL(truth || model): cross-entropy less the entropy of the truth, so a perfect model costs 0."
    )
    formula: ClassVar[str] = r"\sum_c t_c \log\frac{t_c}{p_c}"
    reference: ClassVar[str] = (
        "Kullback & Leibler, On Information and Sufficiency, Ann. Math. Stat. 22 (1951)"
    )

    hard: ClassVar[TargetLoss | None] = CrossEntropy()

    def rows(self, targets: Matrix, outcome: Outcome) -> Vector:
        """KL(t‖p)."""
        difference = gap(targets, outcome.p, outcome.not_p)
        return relative_entropy(targets, np.log(targets), outcome.p, outcome.log_p, difference)

    def slopes(self, targets: Matrix, outcome: Outcome) -> Matrix:  # noqa: ARG002  the truth alone
        """−t_c."""
        return -targets

    def slopes_by_probability(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """−t_c/p_c."""
        return np.where(targets > 0, -targets / outcome.p, 0)
