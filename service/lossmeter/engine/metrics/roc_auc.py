"""The area under the ROC curve."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric, rows_of
from lossmeter.engine.metrics.means import one_vs_rest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.evidence import Evidence


class RocAuc(Metric):
    """The probability that a row of the class has a higher p_c than a row of another, ties half; and its means.

    ``per_class`` and its means ``ovr_macro`` and ``ovr_weighted`` are one class against the rest; scikit-learn's number
    for two classes is ``per_class[1]``. ``ovo_macro`` is Hand and Till's mean over pairs of classes, among the rows of
    the two; weights enter it as everywhere (scikit-learn refuses them there). Classes that do not occur are in no mean.

    Source: Hand, Till, "A simple generalisation of the area under the ROC curve for multiple class classification
    problems", Machine Learning 45 (2001).
    """

    name: ClassVar[str] = "roc_auc"
    title: ClassVar[str] = "ROC AUC"
    summary: ClassVar[str] = "The probability that a row of a class is ranked above a row of another."
    formula: ClassVar[str] = (
        r"\frac{\sum_{i: y_i = c} \sum_{j: y_j \ne c} w_i w_j ([p_{ic} > p_{jc}] + \frac12 [p_{ic} = p_{jc}])}"
        r"{\sum_{i: y_i = c} w_i \sum_{j: y_j \ne c} w_j}"
    )
    reference: ClassVar[str] = (
        "Hand and Till, A simple generalisation of the area under the ROC curve for multiple class classification "
        "problems, Machine Learning 45 (2001)"
    )
    additive: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "per_class": "rows of this class and rows of others are both needed",
            "ovr_macro": "rows of at least two classes are needed",
            "ovr_weighted": "rows of at least two classes are needed",
            "ovo_macro": "rows of at least two classes are needed",
        }
    )

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """Each in [0, 1]."""
        ranked = rows_of(evidence).ranking
        return one_vs_rest(ranked.auc, ranked.weight) | {"ovo_macro": ranked.one_vs_one}
