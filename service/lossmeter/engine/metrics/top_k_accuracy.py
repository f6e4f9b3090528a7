"""Whether the truth is among the k most probable classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import SOFT, Metric, Undefined

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class TopKAccuracy(Metric):
    """Σ w [rank of the true class < k] / Σ w; 1 where k is at least the number of classes.

    Of equal probabilities the class of the lower index ranks first, so that k = 1 is accuracy. (scikit-learn ranks the
    higher index first, and there k = 1 is not its own accuracy.)
    """

    name: ClassVar[str] = "top_k_accuracy"
    title: ClassVar[str] = "Top-k accuracy"
    summary: ClassVar[str] = "The share of rows whose true class is among the k most probable ones."
    formula: ClassVar[str] = r"\frac{1}{W} \sum_i w_i [\mathrm{rank}_i(y_i) \le k]"
    reference: ClassVar[str] = "scikit-learn, top_k_accuracy_score"

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        if evidence.soft:
            raise Undefined(SOFT)
        return min(1.0, evidence.top_k / evidence.weight)
