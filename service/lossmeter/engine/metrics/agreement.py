"""Agreement of truth and prediction beyond chance: Cohen's kappa and the Matthews correlation coefficient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric, Undefined
from lossmeter.engine.metrics.tallies import tallies

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class CohenKappa(Metric):
    """1 − (1 − p_o) / (1 − p_e): agreement p_o against that of independent classes with the same shares, p_e.

    Undefined where truth and prediction are one and the same class throughout: chance alone agrees always.

    Source: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    """

    name: ClassVar[str] = "cohen_kappa"
    title: ClassVar[str] = "Cohen's kappa"
    summary: ClassVar[str] = (
        "Agreement of truth and prediction beyond that of chance; 1 is perfect, 0 is chance."
    )
    formula: ClassVar[str] = r"1 - \frac{1 - p_o}{1 - p_e}"
    reference: ClassVar[str] = (
        "Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20 (1960)"
    )

    def of(self, evidence: Evidence) -> float:
        """In [−1, 1]."""
        found = tallies(evidence)
        weight = found.truth.sum()
        truth, predicted = found.truth / weight, found.predicted / weight
        if ((truth > 0) & (predicted < 1)).any():
            by_chance = float((truth * (1 - predicted)).sum())
            return 1 - (1 - float(found.hits.sum() / weight)) / by_chance
        raise Undefined("truth and prediction are the same class in every row, which chance alone would do")


class MatthewsCorrelation(Metric):
    """The correlation of truth and prediction as indicators: cov(y, ŷ) / √(var(y) var(ŷ)), in Gorodkin's form.

    Undefined where either is a single class throughout: a constant correlates with nothing. (scikit-learn says 0 there,
    also of a perfect window that happens to hold one class.)

    Source: Matthews, Biochimica et Biophysica Acta 405 (1975); Gorodkin, Computational Biology and Chemistry 28 (2004).
    """

    name: ClassVar[str] = "matthews_corrcoef"
    title: ClassVar[str] = "Matthews correlation coefficient"
    summary: ClassVar[str] = "The correlation of true and predicted class; 1 is perfect, 0 is none."
    formula: ClassVar[str] = (
        r"\frac{p_o - \sum_c t_c \hat t_c}{\sqrt{(1 - \sum_c t_c^2)(1 - \sum_c \hat t_c^2)}}"
    )
    reference: ClassVar[str] = (
        "Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, "
        "Computational Biology and Chemistry 28 (2004)"
    )

    def of(self, evidence: Evidence) -> float:
        """In [−1, 1]."""
        found = tallies(evidence)
        weight = found.truth.sum()
        truth, predicted = found.truth / weight, found.predicted / weight
        variances = float((truth * (1 - truth)).sum()), float((predicted * (1 - predicted)).sum())
        if min(variances) == 0:
            raise Undefined(
                "the truth or the prediction is one class in every row, and a constant correlates with nothing"
            )
        covariance = float((found.hits / weight - truth * predicted).sum())
        return max(-1.0, min(1.0, covariance / math.sqrt(variances[0]) / math.sqrt(variances[1])))
