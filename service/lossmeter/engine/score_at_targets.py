"""Rows with a single true class: softmax at the target is all that a loss of its probability needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.batch import Output, clipped, flat_where, weighed

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Vector
    from lossmeter.engine.class_batch import ClassBatch
    from lossmeter.engine.losses import TargetLoss
    from lossmeter.engine.predictions.base import Chosen


def score_at_targets(batch: ClassBatch, rows: Chosen, loss: TargetLoss, scale: float, output: Output) -> None:
    """Fill these rows of the output from the outcome of each row's target."""
    targets = batch.targets.indices[rows]
    view = batch.predictions.at_targets(rows, targets)
    outcome, low = clipped(view.outcome, batch.options.epsilon)
    weight = _weight_at_targets(batch, rows, targets, loss)
    output.losses[rows] = weighed(weight, loss.phi(outcome)) + 0.0
    if output.watcher is not None:
        output.watcher.see_targets(rows, targets, view)
    if output.kl_divergence is not None:
        output.kl_divergence[rows] = batch.counted(rows, 0.0 - outcome.log_p)
    if output.contributions is not None:
        output.contributions[rows] = 0
        output.contributions[
            rows.start + np.arange(len(targets)) if isinstance(rows, slice) else rows, targets
        ] = batch.counted(rows, 0.0 - outcome.log_p)
    if output.gradients is not None:
        slopes = flat_where(low, view.slopes(loss, outcome, loss.slope(outcome)))
        batch.place(output.gradients, rows, view.gradients, weighed(weight, slopes) * scale)
    if output.probabilities is not None:
        again = batch.predictions.at_targets(rows, targets)  # the gradients were made of the same memory
        output.probabilities[rows] = batch.counted(rows, again.probabilities()) + 0.0


def _weight_at_targets(batch: ClassBatch, rows: Chosen, targets: Indices, loss: TargetLoss) -> Vector | None:
    """What a row weighs, times the loss's own factor of its class; None where all of that is 1."""
    factors = loss.class_factors()
    weight = None if batch.weights.of_rows is None else batch.weights.of_rows[rows]
    if factors is None:
        return weight
    factor = factors.astype(np.float64)[targets]
    return factor if weight is None else weight * factor
