"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.metrics.base import Metric, groups_of
from lossmeter.engine.numerics import sums_by

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix, Vector
    from lossmeter.engine.evidence import Evidence

DENSE = 256
"""Up to so many classes the matrix is written out; beyond, it is nearly all zeros."""


class ConfusionMatrix(Metric):
    """Entry (a, b) is Σ w of the rows of class a predicted to be of class b.

    Beyond 256 classes it is three lists of its entries that are not 0: ``truth``, ``predicted`` and ``weight``.

    Source: scikit-learn, ``confusion_matrix``.
    """

    name: ClassVar[str] = "confusion_matrix"
    title: ClassVar[str] = "Confusion matrix"
    summary: ClassVar[str] = (
        "The weight of the rows by true class (rows) and predicted class (columns); beyond 256 classes the entries "
        "that are not 0, as three lists."
    )
    formula: ClassVar[str] = r"M_{ab} = \sum_i w_i [y_i = a, \hat y_i = b]"
    reference: ClassVar[str] = "scikit-learn, confusion_matrix"

    def of(self, evidence: Evidence) -> Matrix | dict[str, float | Vector | Indices]:
        """``Float[classes, classes]``, or the entries."""
        groups, classes = groups_of(evidence), evidence.classes
        cell = groups.cell_class * classes + groups.predicted[groups.cell_group]
        if classes <= DENSE:
            return sums_by(cell, groups.cell_weight, classes * classes).reshape(classes, classes)
        entries, which = np.unique(cell, return_inverse=True)
        weight = sums_by(which, groups.cell_weight, len(entries))
        truth, predicted = np.divmod(entries[weight > 0], classes)
        return {"truth": truth, "predicted": predicted, "weight": weight[weight > 0]}
