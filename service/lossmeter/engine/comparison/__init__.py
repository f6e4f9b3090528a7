"""Is it worse, and why: means with their errors, differences, drift, and where a change comes from."""

from __future__ import annotations

from lossmeter.engine.comparison.compare import Comparison, compare
from lossmeter.engine.comparison.culprits import SliceChange
from lossmeter.engine.comparison.drift import Drift
from lossmeter.engine.comparison.paired import PairedComparison, compare_paired
from lossmeter.engine.comparison.report import Report, SliceReport, report
from lossmeter.engine.comparison.split import Split
from lossmeter.engine.comparison.window import Window

__all__ = [
    "Comparison",
    "Drift",
    "PairedComparison",
    "Report",
    "SliceChange",
    "SliceReport",
    "Split",
    "Window",
    "compare",
    "compare_paired",
    "report",
]
