"""Precision, recall and F1: shares of the confusion matrix's columns, rows and both, and three means of each."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.metrics.base import Metric
from lossmeter.engine.metrics.tallies import tallies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.evidence import Evidence
    from lossmeter.engine.metrics.tallies import Tallies


class ShareOfClass(Metric):
    """A share of each class, hits over something, and its means.

    ``per_class`` has a number for every class, also for two classes (scikit-learn's ``average="binary"`` is
    ``per_class[1]``). ``macro`` is the plain mean, ``weighted`` the mean by the weight of the true classes, ``micro``
    the share of all rows together. A class of which nothing can be said, 0/0, is NaN and in neither mean: these are
    scikit-learn's numbers with ``zero_division=nan``. (Its default counts such a class as 0, and warns.)
    """

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """Each in [0, 1]."""
        found = tallies(evidence)
        whole = self.whole(found)
        defined = whole > 0
        shares = np.divide(self.part(found), whole, out=np.full(len(whole), np.nan), where=defined)
        counts = found.truth[defined]
        support = counts.sum()
        return {
            "macro": float(shares[defined].mean()),
            "micro": float(found.hits.sum() / found.truth.sum()),
            "weighted": float((counts * shares[defined]).sum() / support) if support else np.nan,
            "per_class": shares,
        }

    def part(self, found: Tallies) -> Vector:
        """``Float[classes]``, the numerator."""
        return found.hits

    @abstractmethod
    def whole(self, found: Tallies) -> Vector:
        """``Float[classes]``, the denominator."""


class Precision(ShareOfClass):
    """Of the rows predicted to be of a class, the share that is.

    Source: Sokolova, Lapalme, "A systematic analysis of performance measures for classification tasks", Information
    Processing & Management 45 (2009).
    """

    name: ClassVar[str] = "precision"
    title: ClassVar[str] = "Precision"
    summary: ClassVar[str] = "Of the rows predicted to be of a class, the share that is of it."
    formula: ClassVar[str] = r"\frac{TP_c}{TP_c + FP_c}"
    reference: ClassVar[str] = (
        "Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, "
        "Information Processing & Management 45 (2009)"
    )
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "per_class": "no row is predicted to be of this class",
            "weighted": "no class that occurs is ever predicted",
        }
    )

    def whole(self, found: Tallies) -> Vector:
        """The rows predicted to be of the class."""
        return found.predicted


class Recall(ShareOfClass):
    """Of the rows of a class, the share that is found. Its weighted mean is accuracy.

    Source: Sokolova, Lapalme (2009), as for precision.
    """

    name: ClassVar[str] = "recall"
    title: ClassVar[str] = "Recall"
    summary: ClassVar[str] = "Of the rows of a class, the share that is predicted to be of it."
    formula: ClassVar[str] = r"\frac{TP_c}{TP_c + FN_c}"
    reference: ClassVar[str] = Precision.reference
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType({"per_class": "no row of this class"})

    def whole(self, found: Tallies) -> Vector:
        """The rows of the class."""
        return found.truth


class F1(ShareOfClass):
    """The harmonic mean of precision and recall.

    Source: van Rijsbergen, "Information Retrieval", 2nd ed. (1979).
    """

    name: ClassVar[str] = "f1"
    title: ClassVar[str] = "F1"
    summary: ClassVar[str] = "The harmonic mean of precision and recall."
    formula: ClassVar[str] = r"\frac{2 TP_c}{2 TP_c + FP_c + FN_c}"
    reference: ClassVar[str] = "van Rijsbergen, Information Retrieval, 2nd ed. (1979)"
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"per_class": "no row is of this class, and none is predicted to be"}
    )

    def part(self, found: Tallies) -> Vector:
        """2 TP."""
        return 2 * found.hits

    def whole(self, found: Tallies) -> Vector:
        """2 TP + FP + FN: the rows of the class and those predicted to be."""
        return found.truth + found.predicted
