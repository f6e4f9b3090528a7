"""A short row by itself, in Python: NumPy takes longer to look at its arguments than a few numbers take to compute.

It is what ``score_at_targets`` does with a block, operation by operation, so the answer has the same bits: with
∂/∂x_j = s (δ_jt − p_j), the entry of the target minus the sum of the others. Whatever is not plain, and whatever is
wrong, is left to the way that batches go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from lossmeter.engine.fused import kernels
from lossmeter.engine.numerics import halved_sum, is_single
from lossmeter.engine.plain import LOW, is_plain, true_classes
from lossmeter.engine.predictions.logits import SMALL
from lossmeter.engine.predictions.zero_sums import exact_sum
from lossmeter.engine.results import KLBreakdown, Scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Matrix
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.options import Options
    from lossmeter.engine.preparation import Sent

Held: TypeAlias = "tuple[float, float, Callable[[float, float], Matrix]]"
"""e^x of the target and the sum of the rest; what makes gradients of a factor, and of Σ |those of the others|."""

_LARGEST: Final = 300.0
"""Logits below this overflow no exponential."""


def score_alone(sent: Sent, loss: Loss, options: Options) -> Scores | None:
    """The scores of a row of logits with one true class under a loss that is −log p; None for anything else."""
    if not (is_plain(sent, loss, options) and is_single(sent.values)):
        return None
    told = true_classes(sent)
    if told is None or not max(sent.values[0].tolist()) < _LARGEST:
        return None
    target = int(told[0])
    loops = kernels()
    mass, others, close = (
        _held_apart(sent.values, target) if loops is None else _compiled(loops, sent.values, target)
    )
    # Two comparisons for each, for NaN is neither.
    if not (LOW < mass < 1 / LOW and LOW < others < 1 / LOW and max(mass, others) > SMALL):
        return None
    nats = options.nats_per_unit
    cost = float(np.log1p(others / mass)) / nats
    whole, slope = others + mass, -1.0 / nats
    return Scores(
        loss=None if options.reduction == "none" else cost,
        reduction=options.reduction,
        unit=options.unit,
        denominator=1.0,
        count=1,
        ignored=0,
        class_weights=None,
        losses=np.array([cost]) if "losses" in options.include else None,
        gradients=close(0.0 - slope / whole, slope * (others / whole))
        if "gradients" in options.include
        else None,
        kl=_breakdown(cost, target, sent.values.shape[1]) if "kl" in options.include else None,
        contributions=None,
        probabilities=None,
    )


def _held_apart(values: Matrix, target: int) -> Held:
    masses = np.exp(values[0]).tolist()
    mass, masses[target] = masses[target], 0.0

    def close(factor: float, size: float) -> Matrix:
        written = [each * factor for each in masses]
        written[target] = 0.0
        written[target] = 0.0 - exact_sum(written, size)
        return np.array([written])

    return mass, halved_sum(masses), close


def _compiled(loops: Any, values: Matrix, target: int) -> Held:  # noqa: ANN401  a module of compiled functions
    """The same by the loops that blocks go through, whose sums have another order."""
    classes, mass, others = np.array([target]), np.empty(1), np.empty(1)
    masses = np.empty(values.shape)
    loops.hold_apart(np.ascontiguousarray(values), classes, masses, mass, others)

    def close(factor: float, size: float) -> Matrix:
        written = np.empty(values.shape)
        loops.write_closed(masses, np.array([factor]), np.array([abs(size)]), classes, written)
        return written

    return mass.item(), others.item(), close


def _breakdown(cost: float, target: int, classes: int) -> KLBreakdown:
    """All of the cost is divergence: one true class has no entropy."""
    by_class = np.zeros(classes)
    by_class[target] = cost
    return KLBreakdown(np.zeros(1), np.array([cost]), np.array([cost]), by_class)
