"""How far confidence is from accuracy: the mean, the largest and the root mean square over the bins.

The bins are those of the reliability curve. A confidence of exactly 1 lies in the last of them. (torchmetrics 1.9 keeps
such rows in a bin of their own, beyond the last, and guesses from the values whether they are logits.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.metrics.base import Metric
from lossmeter.engine.metrics.bins import top_label_bins

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


class ExpectedCalibrationError(Metric):
    """Σ_b W_b |accuracy_b − confidence_b| / W.

    Source: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI (2015).
    """

    name: ClassVar[str] = "expected_calibration_error"
    title: ClassVar[str] = "Expected calibration error"
    summary: ClassVar[str] = "The mean distance of confidence from accuracy over bins of the confidence."
    formula: ClassVar[str] = r"\sum_b \frac{W_b}{W} |\mathrm{acc}_b - \mathrm{conf}_b|"
    reference: ClassVar[str] = (
        "Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI (2015)"
    )
    binned: ClassVar[bool] = True

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        bins = top_label_bins(evidence)
        return float((bins.weight * np.abs(bins.accuracy - bins.confidence)).sum() / bins.weight.sum())


class MaximumCalibrationError(Metric):
    """max_b |accuracy_b − confidence_b|, over the bins that hold any row.

    Source: Naeini, Cooper, Hauskrecht (2015), as for the expected one.
    """

    name: ClassVar[str] = "maximum_calibration_error"
    title: ClassVar[str] = "Maximum calibration error"
    summary: ClassVar[str] = "The largest distance of confidence from accuracy over bins of the confidence."
    formula: ClassVar[str] = r"\max_b |\mathrm{acc}_b - \mathrm{conf}_b|"
    reference: ClassVar[str] = ExpectedCalibrationError.reference
    binned: ClassVar[bool] = True

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        bins = top_label_bins(evidence)
        return float(np.abs(bins.accuracy - bins.confidence).max())


class RootMeanSquareCalibrationError(Metric):
    """√(Σ_b W_b (accuracy_b − confidence_b)² / W).

    Source: Hendrycks, Mazeika, Dietterich, "Deep anomaly detection with outlier exposure", ICLR (2019).
    """

    name: ClassVar[str] = "root_mean_square_calibration_error"
    title: ClassVar[str] = "Root mean square calibration error"
    summary: ClassVar[str] = (
        "The root mean square distance of confidence from accuracy over bins of the confidence."
    )
    formula: ClassVar[str] = r"\sqrt{\sum_b \frac{W_b}{W} (\mathrm{acc}_b - \mathrm{conf}_b)^2}"
    reference: ClassVar[str] = (
        "Hendrycks, Mazeika and Dietterich, Deep anomaly detection with outlier exposure, ICLR (2019)"
    )
    binned: ClassVar[bool] = True

    def of(self, evidence: Evidence) -> float:
        """In [0, 1]."""
        bins = top_label_bins(evidence)
        square = (bins.weight * (bins.accuracy - bins.confidence) ** 2).sum() / bins.weight.sum()
        return float(np.sqrt(square))
