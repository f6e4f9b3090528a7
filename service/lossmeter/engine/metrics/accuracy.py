"""Accuracy, and its mean over the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric
from lossmeter.engine.metrics.tallies import tallies

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class Accuracy(Metric):
    r"""Σ w [ŷ = y] / Σ w, where ŷ is the most probable class, the first of equals.

    Source: scikit-learn, ``accuracy_score``.
    """

    name: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "Accuracy"
    summary: ClassVar[str] = "The share of rows whose most probable class is the true one."
    formula: ClassVar[str] = r"\frac{1}{W} \sum_i w_i [\hat y_i = y_i]"
    reference: ClassVar[str] = "scikit-learn, accuracy_score"

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        found = tallies(evidence)
        return float(found.hits.sum() / found.truth.sum())


class BalancedAccuracy(Metric):
    """The mean recall of the classes that occur.

    Source: Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR (2010).
    """

    name: ClassVar[str] = "balanced_accuracy"
    title: ClassVar[str] = "Balanced accuracy"
    summary: ClassVar[str] = "The mean of the recalls of the classes that occur: each class counts alike."
    formula: ClassVar[str] = r"\frac{1}{|C_{+}|} \sum_{c \in C_{+}} \mathrm{recall}_c"
    reference: ClassVar[str] = (
        "Brodersen et al., The balanced accuracy and its posterior distribution, ICPR (2010)"
    )

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        found = tallies(evidence)
        present = found.truth > 0
        return float((found.hits[present] / found.truth[present]).mean())
