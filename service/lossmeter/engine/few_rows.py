"""A few plain rows at once: as little around the arithmetic as there can be.

It is what ``score_at_targets`` does with a block, operation by operation, so the answer has the same bits. Whatever is
wrong, or out of the comfortable range, is left to the way that batches go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.fused import kernels
from lossmeter.engine.numerics import LONG_ROW, row_sums
from lossmeter.engine.plain import LOW, is_plain, true_classes
from lossmeter.engine.predictions.logits import SMALL
from lossmeter.engine.predictions.zero_sums import close_rows
from lossmeter.engine.results import KLBreakdown, Scores
from lossmeter.engine.summation import total

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Indices, Matrix, Vector
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.options import Options
    from lossmeter.engine.preparation import Sent

MOST: Final = 1 << 12
"""Numbers, beyond which the arithmetic takes most of the time."""


class Held(NamedTuple):
    """Rows of exponentials with the target of each held apart.

    Attributes:
        mass: ``Float64[n]``, e^x of the target.
        others: ``Float64[n]``, the sum of the rest.
        close: makes gradients of a factor for each row, and of Σ of those of the others.
    """

    mass: Vector
    others: Vector
    close: Callable[[Vector, Vector], Matrix]


def score_few(sent: Sent, loss: Loss, options: Options) -> Scores | None:
    """The scores of plain rows; None for anything else."""
    if not is_plain(sent, loss, options) or sent.values.size > MOST:
        return None
    if not 1 < sent.values.shape[1] < LONG_ROW:
        return None
    if true_classes(sent) is None:
        return None
    targets = np.asarray(sent.targets).astype(np.intp)
    loops = kernels()
    with np.errstate(over="ignore"):  # then they are not comfortable
        held = _held_apart(sent.values, targets) if loops is None else _compiled(loops, sent.values, targets)
    if not _is_comfortable(held):
        return None
    losses = np.log1p(held.others / held.mass)
    if options.nats_per_unit != 1:
        losses /= options.nats_per_unit
    return _scores(sent, options, losses, targets, lambda slope: _gradients(held, slope))


def _is_comfortable(held: Held) -> bool:
    """Whether nothing was lost to the range of exponentials; a NaN, which compares with nothing, is in the sum."""
    largest = np.maximum(held.mass, held.others).tolist()
    is_in_range = min(held.mass.tolist()) > LOW and min(held.others.tolist()) > LOW
    return is_in_range and min(largest) > SMALL and sum(largest) < 1 / LOW


def _gradients(held: Held, slope: float) -> Matrix:
    """∂/∂x_j = s (δ_jt − p_j), at the target minus the sum of what is written for the others."""
    whole = held.others + held.mass
    return held.close(0.0 - slope / whole, slope * (held.others / whole))


def _held_apart(values: Matrix, targets: Indices) -> Held:
    n, classes = values.shape
    masses = np.empty((classes, n)).T
    np.copyto(masses, values)
    np.exp(masses, out=masses)
    places = scratch.places(targets, classes)
    flat = scratch.flat(masses)
    mass = flat.take(places)
    flat[places] = 0

    def close(factor: Vector, size: Vector) -> Matrix:
        written = np.multiply(masses, factor[:, None], out=masses)
        close_rows(written, places, size)
        return np.ascontiguousarray(written)

    return Held(mass, row_sums(masses), close)


def _compiled(loops: Any, values: Matrix, targets: Indices) -> Held:  # noqa: ANN401  a module of compiled functions
    """The same by the loops that blocks go through, whose sums have another order."""
    mass, others = np.empty(len(values)), np.empty(len(values))
    masses = np.empty(values.shape)
    loops.hold_apart(np.ascontiguousarray(values), targets, masses, mass, others)

    def close(factor: Vector, size: Vector) -> Matrix:
        written = np.empty(values.shape)
        loops.write_closed(masses, factor, np.abs(size), targets, written)
        return written

    return Held(mass, others, close)


def _scores(
    sent: Sent,
    options: Options,
    losses: Vector,
    targets: Indices,
    gradients: Callable[[float], Matrix],
) -> Scores:
    n, classes = sent.values.shape
    is_mean = options.reduction == "mean"
    mean = 1.0 / n
    whole = total(losses)
    return Scores(
        loss=None if options.reduction == "none" else whole / n if is_mean else whole,
        reduction=options.reduction,
        unit=options.unit,
        denominator=float(n),
        count=n,
        ignored=0,
        class_weights=None,
        losses=losses if "losses" in options.include else None,
        gradients=gradients(-((mean if is_mean else 1.0) / options.nats_per_unit))
        if "gradients" in options.include
        else None,
        kl=_breakdown(losses, targets, classes, mean) if "kl" in options.include else None,
        contributions=None,
        probabilities=None,
    )


def _breakdown(losses: Vector, targets: Indices, classes: int, mean: float) -> KLBreakdown:
    """All of the losses is divergence: one true class has no entropy."""
    by_class = np.bincount(targets, losses, classes) * mean
    return KLBreakdown(np.zeros(len(losses)), losses.copy(), losses.copy(), by_class)
