"""Log loss, and the perplexity it is the logarithm of."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.metrics.base import Metric

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class LogLoss(Metric):
    """Σ w (−Σ_c t_c log p_c) / Σ w, in nats; infinite if a truth got probability 0.

    Nothing is clipped: scikit-learn's ``log_loss`` never exceeds 36.04, a certain miss here costs infinity.

    Source: Good, "Rational Decisions", Journal of the Royal Statistical Society B 14 (1952).
    """

    name: ClassVar[str] = "log_loss"
    title: ClassVar[str] = "Log loss"
    summary: ClassVar[str] = (
        "The mean of minus the log-probability of the truth, in nats; nothing is clipped."
    )
    formula: ClassVar[str] = r"-\frac{1}{W} \sum_i w_i \sum_c t_{ic} \log p_{ic}"
    reference: ClassVar[str] = "Good, Rational Decisions, JRSS B 14 (1952)"

    def of(self, evidence: Evidence) -> float:
        """≥ 0."""
        return evidence.log_loss


class Perplexity(Metric):
    """exp(log loss): of so many equally probable classes the truth would be as surprising.

    Source: Jelinek et al., "Perplexity, a measure of the difficulty of speech recognition tasks", Journal of the
    Acoustical Society of America 62 (1977).
    """

    name: ClassVar[str] = "perplexity"
    title: ClassVar[str] = "Perplexity"
    summary: ClassVar[str] = (
        "exp(log loss): the truth is as surprising as one of so many equally probable classes."
    )
    formula: ClassVar[str] = r"\exp(\mathrm{log\ loss})"
    reference: ClassVar[str] = (
        "Jelinek et al., Perplexity, a measure of the difficulty of speech recognition tasks, JASA 62 (1977)"
    )

    def of(self, evidence: Evidence) -> float:
        """≥ 1; infinite where the log loss is, or where it is beyond the doubles."""
        return float(np.exp(evidence.log_loss))
