"""Calibration of every class's probability, not of the predicted one's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.metrics.base import Metric, rows_of
from lossmeter.engine.metrics.bins import equal_mass, equal_width, places

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.evidence import Evidence, Rows


class ClasswiseCalibrationError(Metric):
    """For each class Σ_b |Σ_{i in b} w ([y = c] − p_c)| / W over bins of p_c; ``macro`` is the mean over the classes.

    It is defined also for a class that does not occur: every probability given to it is then too much.

    Source: Kull et al., "Beyond temperature scaling: obtaining well-calibrated multi-class probabilities with Dirichlet
    calibration", NeurIPS (2019).
    """

    name: ClassVar[str] = "classwise_calibration_error"
    title: ClassVar[str] = "Class-wise calibration error"
    summary: ClassVar[str] = (
        "For each class the mean distance of its probability from its frequency, over bins of it."
    )
    formula: ClassVar[str] = r"\frac{1}{W} \sum_b |\sum_{i \in b} w_i ([y_i = c] - p_{ic})|"
    reference: ClassVar[str] = (
        "Kull et al., Beyond temperature scaling: obtaining well-calibrated multi-class probabilities with Dirichlet "
        "calibration, NeurIPS (2019)"
    )
    additive: ClassVar[bool] = False
    binned: ClassVar[bool] = True

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """Each in [0, 1]."""
        rows = rows_of(evidence)
        edges = equal_width(evidence.bins) if evidence.binning == "equal_width" else None
        errors = np.array([_error(rows, c, evidence.bins, edges) for c in range(evidence.classes)])
        errors = np.minimum(1.0, errors / evidence.weight)
        return {"macro": float(errors.mean()), "per_class": errors}


def _error(rows: Rows, c: int, bins: int, edges: Vector | None) -> float:
    """Σ_b of one class, before it is divided by W; with no edges given they are those of equal mass."""
    p = np.ascontiguousarray(rows.probabilities[:, c])
    if edges is None:
        edges = equal_mass(p, rows.weights, bins)
    gap = (rows.targets == c) - p
    if rows.weights is not None:
        gap *= rows.weights
    return float(np.abs(np.bincount(places(p, edges), gap)).sum())
