"""The reliability curve: accuracy against confidence."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

from lossmeter.engine.metrics.base import Metric
from lossmeter.engine.metrics.bins import top_label_bins

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.evidence import Evidence


class ReliabilityCurve(Metric):
    """Mean confidence and accuracy by bin (lower, upper] of the confidence; bins without a row are left out.

    Source: Murphy, Winkler, "Reliability of subjective probability forecasts of precipitation and temperature", Journal
    of the Royal Statistical Society C 26 (1977).
    """

    name: ClassVar[str] = "reliability_curve"
    title: ClassVar[str] = "Reliability curve"
    summary: ClassVar[str] = (
        "Rows, weight, mean confidence and accuracy in every bin (lower, upper] of the confidence that holds a row."
    )
    formula: ClassVar[str] = r"(\mathrm{conf}_b, \mathrm{acc}_b)"
    reference: ClassVar[str] = (
        "Murphy and Winkler, Reliability of subjective probability forecasts of precipitation and temperature, "
        "JRSS C 26 (1977)"
    )
    binned: ClassVar[bool] = True

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """The parts of ``Bins``."""
        bins = top_label_bins(evidence)
        return {part.name: getattr(bins, part.name) for part in fields(bins)}
