"""Cross-entropy: the price of the truth in the model's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.losses.base import TargetLoss

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, eq=False)
class CrossEntropy(TargetLoss):
    r"""L = −Σ_c t_c log p_c, in nats: the length of the truth in the model's code.

    With logits z and p = softmax(z): ∂L/∂z_j = p_j Σ_c t_c − t_j. 0 for a certain hit, infinite for a certain miss.

    Source: I. J. Good, "Rational Decisions", Journal of the Royal Statistical Society B 14 (1952).
    """

    name: ClassVar[str] = "cross_entropy"
    title: ClassVar[str] = "Cross-entropy"
    summary: ClassVar[str] = (
        "Minus the log-probability of the truth: log loss, negative log-likelihood, softmax loss."
    )
    formula: ClassVar[str] = r"-\sum_c t_c \log p_c"
    reference: ClassVar[str] = "Good, Rational Decisions, JRSS B 14 (1952)"

    @property
    def linear(self) -> bool:
        """It is."""
        return True

    def phi(self, outcome: Outcome) -> Floats:
        """−log p."""
        return -outcome.log_p

    def slope(self, outcome: Outcome) -> Floats:
        """−1."""
        return np.full_like(outcome.log_p, -1)
