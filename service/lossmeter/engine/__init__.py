"""The engine: arrays in, arrays out, NumPy and nothing else.

>>> from lossmeter.engine import score
>>> score(logits=[[40.0, 0.0, 0.0]], targets=[0]).loss
8.49670851058318e-18
"""

from __future__ import annotations

from lossmeter.engine.calibration import Calibration, calibrate
from lossmeter.engine.class_weights import class_weights
from lossmeter.engine.comparison import Comparison, PairedComparison, Report, compare, compare_paired, report
from lossmeter.engine.divergences import divergence
from lossmeter.engine.expectation import Expected, expect
from lossmeter.engine.losses import LOSSES, Loss, make_loss
from lossmeter.engine.measure import Measured, measure
from lossmeter.engine.metrics import METRICS, Metric
from lossmeter.engine.parameters import Parameter
from lossmeter.engine.results import ClassWeights, DivergenceResult, KLBreakdown, Scores, SoftmaxResult
from lossmeter.engine.score import score
from lossmeter.engine.softmax import softmax
from lossmeter.engine.state import Moments, Slice, State, merge
from lossmeter.engine.warm_up import warm_up

__all__ = [
    "LOSSES",
    "METRICS",
    "Calibration",
    "ClassWeights",
    "Comparison",
    "DivergenceResult",
    "Expected",
    "KLBreakdown",
    "Loss",
    "Measured",
    "Metric",
    "Moments",
    "PairedComparison",
    "Parameter",
    "Report",
    "Scores",
    "Slice",
    "SoftmaxResult",
    "State",
    "calibrate",
    "class_weights",
    "compare",
    "compare_paired",
    "divergence",
    "expect",
    "make_loss",
    "measure",
    "merge",
    "report",
    "score",
    "softmax",
    "warm_up",
]
