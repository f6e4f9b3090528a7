"""Average precision: the precision-recall curve in one number."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric, rows_of
from lossmeter.engine.metrics.means import one_vs_rest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.evidence import Evidence


class AveragePrecision(Metric):
    """Σ_k (R_k − R_{k−1}) P_k over the thresholds of p_c from high to low, not interpolated; and its means.

    scikit-learn's number for two classes is ``per_class[1]``. Classes that do not occur are in no mean. (scikit-learn
    says 0 of them, and warns.)

    Source: Zhu, "Recall, precision and average precision", University of Waterloo (2004); scikit-learn.
    """

    name: ClassVar[str] = "average_precision"
    title: ClassVar[str] = "Average precision"
    summary: ClassVar[str] = (
        "The mean precision over the recalls that falling thresholds of a class's probability reach."
    )
    formula: ClassVar[str] = r"\sum_k (R_k - R_{k-1}) P_k"
    reference: ClassVar[str] = "Zhu, Recall, precision and average precision, University of Waterloo (2004)"
    additive: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType({"per_class": "no row of this class"})

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """Each in [0, 1]."""
        ranked = rows_of(evidence).ranking
        return one_vs_rest(ranked.average_precision, ranked.weight)
