"""Rows whose truth is shared among classes, or whose loss compares whole distributions: seen at every class."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.batch import Output, clipped, flat_where, weighed
from lossmeter.engine.divergence_terms import entropy, gap, pointwise, relative_entropy
from lossmeter.engine.losses import DivergenceLoss, TargetLoss
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.class_batch import ClassBatch
    from lossmeter.engine.outcome import Outcome
    from lossmeter.engine.predictions import AllClasses
    from lossmeter.engine.predictions.base import Chosen


def score_every_class(batch: ClassBatch, rows: Chosen, scale: float, output: Output) -> None:
    """Fill these rows of the output from the outcomes of all classes."""
    left = _score_linear(batch, rows, scale, output)
    if left is not None:
        _score_without_shortcut(batch, left, scale, output)
    if (
        output.kl_divergence is not None
        or output.contributions is not None
        or output.probabilities is not None
    ):
        _explain(batch, rows, output)


def _score_linear(batch: ClassBatch, rows: Chosen, scale: float, output: Output) -> Chosen | None:
    """The shorter way of cross-entropy, for the rows that have one; those left are returned."""
    loss = batch.loss
    if not (isinstance(loss, TargetLoss) and loss.linear and batch.options.epsilon == 0):
        return rows
    shares = _plain_shares(batch, rows, loss)
    view = batch.predictions.cross_entropy(rows, shares)
    if view is None:
        return rows
    samples = batch.weights.samples(rows)
    output.losses[rows] = batch.counted(rows, weighed(samples, view.values)) + 0.0
    if output.gradients is not None:
        factor = np.asarray(scale) if samples is None else (samples * scale)[:, None]
        batch.place(output.gradients, rows, lambda each, out: view.gradients(shares, each, out), factor)
    if not view.far.size:
        return None
    return view.far + rows.start if isinstance(rows, slice) else rows[view.far]


def _score_without_shortcut(batch: ClassBatch, rows: Chosen, scale: float, output: Output) -> None:
    view = batch.predictions.all_classes(rows)
    outcome, low = clipped(view.outcome, batch.options.epsilon)
    score = _score_divergence if isinstance(batch.loss, DivergenceLoss) else _score_shares
    output.losses[rows], slopes = score(batch, rows, view, outcome)
    if output.gradients is not None:
        scaled = weighed(batch.weights.samples(rows, columns=True), flat_where(low, slopes()))
        batch.place(output.gradients, rows, view.gradients, scaled * scale)


def _score_shares(
    batch: ClassBatch, rows: Chosen, view: AllClasses, outcome: Outcome
) -> tuple[Vector, Callable[[], Matrix]]:
    """Weighted losses of a ``TargetLoss``, and its slopes before sample weights."""
    loss = cast("TargetLoss", batch.loss)
    shares = _shares(batch, rows, loss)
    values = row_sums(finite_product(shares, loss.phi(outcome)))

    def slopes() -> Matrix:
        return finite_product(shares, view.target_slopes(loss, outcome, loss.slope(outcome)))

    return batch.counted(rows, weighed(batch.weights.samples(rows), values)) + 0.0, slopes


def _score_divergence(
    batch: ClassBatch, rows: Chosen, view: AllClasses, outcome: Outcome
) -> tuple[Vector, Callable[[], Matrix]]:
    """Weighted losses of a ``DivergenceLoss``, and its slopes before sample weights."""
    loss = cast("DivergenceLoss", batch.loss)
    truth = batch.truth(rows)
    classes, weights = batch.weights.of_classes, batch.weights.of_rows
    values = loss.rows(truth, outcome)

    def slopes() -> Matrix:
        by_input = view.divergence_slopes(loss, truth, outcome, loss.slopes(truth, outcome))
        if batch.options.epsilon:
            # Clipped rows sum to more than 1; where that brings the loss to its floor, it is flat.
            by_input = np.where(values[:, None] > 0, by_input, 0)
        return by_input if classes is None else finite_product(row_sums(truth * classes)[:, None], by_input)

    weighted = weighed(None if weights is None else weights[rows], values)
    return batch.counted(rows, weighted) + 0.0, slopes


def _explain(batch: ClassBatch, rows: Chosen, output: Output) -> None:
    """KL, contributions and probabilities of rows seen at every class."""
    view = batch.predictions.all_classes(rows)
    if output.probabilities is not None:
        output.probabilities[rows] = batch.counted(rows, view.outcome.p) + 0.0
    if output.kl_divergence is None and output.contributions is None:
        return
    outcome, _ = clipped(view.outcome, batch.options.epsilon)
    truth = batch.truth(rows)
    log_truth = np.log(truth)
    difference = gap(truth, outcome.p, outcome.not_p)
    if output.kl_divergence is not None and output.target_entropy is not None:
        divergence = relative_entropy(truth, log_truth, outcome.p, outcome.log_p, difference)
        output.kl_divergence[rows] = batch.counted(rows, divergence)
        output.target_entropy[rows] = batch.counted(rows, entropy(truth, log_truth))
    if output.contributions is not None:
        spread = pointwise(truth, log_truth, outcome.p, outcome.log_p, difference)
        output.contributions[rows] = batch.counted(rows, spread) + 0.0


def _plain_shares(batch: ClassBatch, rows: Chosen, loss: TargetLoss) -> Matrix:
    """The shares, float32 where that is what was sent and nothing changes it."""
    if batch.weights.of_classes is None and loss.class_factors() is None:
        sent = batch.targets.as_sent(rows, by_row=batch.predictions.by_row)
        if sent is not None and sent.dtype == batch.dtype and not batch.options.label_smoothing:
            return sent
    return _shares(batch, rows, loss)


def _shares(batch: ClassBatch, rows: Chosen, loss: TargetLoss) -> Matrix:
    """w_c t_c times the loss's own factor of each class."""
    shares = batch.truth(rows)
    for factors in (batch.weights.of_classes, loss.class_factors()):
        if factors is not None:
            shares = np.multiply(shares, factors, out=scratch.matrix("shares", *shares.shape))
    return shares
