"""A short row by itself, in Python: NumPy takes longer to look at its arguments than a few numbers take to compute.

It is what ``score_at_targets`` does with a block, operation by operation, so the answer has the same bits: with
∂/∂x_j = s (δ_jt − p_j), the entry of the target minus the sum of the others. Whatever is not plain, and whatever is
wrong, is left to the way that batches go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from lossmeter.engine.fused import kernels
from lossmeter.engine.losses import TargetLoss
from lossmeter.engine.numerics import halved_sum, is_single
from lossmeter.engine.predictions.logits import COMFORT, SMALL
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

_LOW: Final = COMFORT[np.dtype(np.float64)]
_LARGEST: Final = 300.0
"""Logits below this overflow no exponential."""

_PARTS: Final = frozenset(("losses", "gradients", "kl"))


def score_alone(sent: Sent, loss: Loss, options: Options) -> Scores | None:
    """The scores of a row of logits with one true class under a loss that is −log p; None for anything else."""
    if not (isinstance(loss, TargetLoss) and _is_log_loss(loss) and _is_plain(sent, options)):
        return None
    target = _target(sent)
    if target is None or not max(sent.values[0].tolist()) < _LARGEST:
        return None
    loops = kernels()
    mass, others, close = (
        _held_apart(sent.values, target) if loops is None else _compiled(loops, sent.values, target)
    )
    # Two comparisons for each, for NaN is neither.
    if not (_LOW < mass < 1 / _LOW and _LOW < others < 1 / _LOW and max(mass, others) > SMALL):
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


def _is_plain(sent: Sent, options: Options) -> bool:
    return (
        sent.name == "logits"
        and is_single(sent.values)
        and sent.sample_weights is None
        and sent.class_weights is None
        and options.temperature == 1
        and options.label_smoothing == 0
        and options.epsilon == 0
        and _PARTS.issuperset(options.include)
    )


def _is_log_loss(loss: TargetLoss) -> bool:
    return loss.linear and loss.class_factors() is None


def _target(sent: Sent) -> int | None:
    """The true class, if it is a single one that counts."""
    targets: Any = sent.targets
    if not isinstance(targets, np.ndarray) or targets.shape != (1,) or targets.dtype.kind not in "fiu":
        return None
    index = targets.item()
    is_one = 0 <= index < sent.values.shape[1] and index == int(index) and index != sent.ignore_index
    return int(index) if is_one else None


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
