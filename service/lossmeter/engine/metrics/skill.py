r"""Skill: the share of the base rate's loss that the model saves.

1 − L/L_b, where L_b is what the shares of the classes in these very rows would have cost as a forecast: 1 for a perfect
model, 0 for one that knows no more than the base rate, negative for a worse one. Since L_b is known in hindsight,
few rows make it small, and skill low.

In a window of one class the base rate is certain and costs nothing, so there is no loss to save: a model that pays
nothing either is perfect, 1; one that pays anything is infinitely worse, −∞. That is the limit as the other classes
grow rare, so that a series of windows goes there without a jump. (scikit-learn's ``d2_log_loss_score`` clips the base
rate and says −7·10¹⁴ there, a number that measures only the clipping.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric
from lossmeter.engine.metrics.base_rate import entropy, impurity

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class LogLossSkill(Metric):
    """1 − log loss / entropy of the base rate: 1 less normalised entropy. −∞ where the loss is infinite.

    Source: He et al., "Practical lessons from predicting clicks on ads at Facebook", ADKDD (2014).
    """

    name: ClassVar[str] = "log_loss_skill"
    title: ClassVar[str] = "Log-loss skill"
    summary: ClassVar[str] = (
        "The share of the base rate's log loss that the model saves: 1 is perfect, 0 no better than the base rate. "
        "In a window of one class the base rate costs nothing: -Infinity, or 1 for a loss of 0."
    )
    formula: ClassVar[str] = r"1 - \frac{L}{-\sum_c b_c \log b_c}"
    reference: ClassVar[str] = (
        "He et al., Practical lessons from predicting clicks on ads at Facebook, ADKDD (2014)"
    )

    def of(self, evidence: Evidence) -> float:
        """≤ 1."""
        return _skill(evidence.log_loss, entropy(evidence.truth))


class BrierSkill(Metric):
    """1 − Brier score / Brier score of the base rate.

    For soft truths t the base rate pays the mean of Σ_c (b_c − t_c)², which is the mean of Σ t_c² less Σ b_c².

    Source: Murphy, "A new vector partition of the probability score", Journal of Applied Meteorology 12 (1973).
    """

    name: ClassVar[str] = "brier_skill"
    title: ClassVar[str] = "Brier skill"
    summary: ClassVar[str] = (
        "The share of the base rate's Brier score that the model saves: 1 is perfect, 0 no better than the base rate. "
        "In a window of one class the base rate costs nothing: -Infinity, or 1 for a score of 0."
    )
    formula: ClassVar[str] = r"1 - \frac{\mathrm{Brier}}{\sum_c b_c (1 - b_c)}"
    reference: ClassVar[str] = (
        "Murphy, A new vector partition of the probability score, Journal of Applied Meteorology 12 (1973)"
    )

    def of(self, evidence: Evidence) -> float:
        """≤ 1."""
        shared = 1 - evidence.truth_squares if evidence.soft else 0.0
        return _skill(evidence.brier, max(0.0, impurity(evidence.truth) - shared))


def _skill(loss: float, base: float) -> float:
    if base == 0 or math.isinf(loss):
        return -math.inf if loss else 1.0
    return 1 - loss / base
