"""Reverse Kullback–Leibler divergence: what the model claims that the truth does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.divergence_terms import gap, log_ratio, relative_entropy
from lossmeter.engine.losses.base import DivergenceLoss

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class ReverseKL(DivergenceLoss):
    r"""L = KL(p‖t) = Σ_c p_c log(p_c/t_c) ≥ 0, in nats.

    It is infinite as soon as the model gives weight to a class that the truth excludes; give soft targets or
    ``label_smoothing``. Where it is infinite its gradient does not exist: those entries are NaN.

    Source: Kullback, Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22 (1951); as a
    mode-seeking loss in Minka, "Divergence measures and message passing", MSR-TR-2005-173.
    """

    name: ClassVar[str] = "reverse_kl"
    title: ClassVar[str] = "Reverse Kullback-Leibler divergence"
    summary: ClassVar[str] = (
        "KL(model || truth): mode-seeking; infinite for hard targets unless smoothed, its gradient then NaN."
    )
    formula: ClassVar[str] = r"\sum_c p_c \log\frac{p_c}{t_c}"
    reference: ClassVar[str] = "Minka, Divergence measures and message passing, MSR-TR-2005-173"

    free_slope: ClassVar[float] = 1.0

    def rows(self, targets: Matrix, outcome: Outcome) -> Vector:
        """KL(p‖t)."""
        difference = gap(targets, outcome.p, outcome.not_p)
        return relative_entropy(outcome.p, outcome.log_p, targets, np.log(targets), -difference)

    def slopes(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """p_c log(p_c/t_c), short of the p_c that the logits cannot see."""
        ratio = log_ratio(outcome.log_p, targets, gap(targets, outcome.p, outcome.not_p))
        return np.where(outcome.p > 0, outcome.p * ratio, 0)

    def slopes_by_probability(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """log(p_c/t_c) + 1; at 0/0 the limit along p = t, which is 1."""
        ratio = log_ratio(outcome.log_p, targets, gap(targets, outcome.p, outcome.not_p))
        return 1 + np.where((outcome.p == 0) & (targets == 0), 0, ratio)
