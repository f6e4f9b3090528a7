"""From scored blocks to the answer: run them, reduce the losses, put everything in the unit and shape asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.batch import Batch, Output, weighed
from lossmeter.engine.results import KLBreakdown, Scores
from lossmeter.engine.summation import total
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.options import Options


def reduced(batch: Batch, shape: tuple[int, ...], options: Options, threads: int | None) -> Scores:
    """Score the blocks and put the answer together, in the unit asked for and the shape as sent."""
    of_rows = batch.weights.of_rows
    weight = float(batch.count) if of_rows is None else total(of_rows, threads)
    denominator = weight if options.normalization == "weight" else float(batch.count if weight else 0)
    if not np.isfinite(weight):
        raise InvalidInputError.at("sample_weights", detail="weights whose sum is finite are wanted")
    mean = 1 / denominator if denominator else 0.0
    nats = options.nats_per_unit
    output = Output.empty(batch.shape, batch.dtype, options)
    scale = (mean if options.reduction == "mean" else 1.0) / nats
    blocks.run(batch.shape, lambda rows: batch.score(rows, scale, output), threads, batch.matrices)
    losses = output.losses if nats == 1 else output.losses / output.losses.dtype.type(nats)
    whole = total(losses, threads) if options.reduction != "none" else None
    if whole is not None and options.reduction == "mean":
        whole = whole / denominator if denominator else 0.0
    contributions = output.contributions
    return Scores(
        loss=whole,
        reduction=options.reduction,
        unit=options.unit,
        denominator=denominator,
        count=batch.count,
        ignored=batch.shape[0] - batch.count,
        class_weights=batch.weights.of_classes,
        losses=losses if "losses" in options.include else None,
        gradients=None if output.gradients is None else output.gradients.reshape(shape),
        kl=_breakdown(batch, output, mean, nats),
        contributions=None
        if contributions is None
        else (contributions / contributions.dtype.type(nats)).reshape(shape),
        probabilities=None if output.probabilities is None else output.probabilities.reshape(shape),
    )


def _breakdown(batch: Batch, output: Output, mean: float, nats: float) -> KLBreakdown | None:
    """The KL part; cross-entropy is made of the other two, so that they add up to the last digit."""
    if output.kl_divergence is None or output.target_entropy is None:
        return None
    unit = output.kl_divergence.dtype.type(nats)
    divergence, entropy = output.kl_divergence / unit, output.target_entropy / unit
    with np.errstate(all="ignore"):
        weighted = weighed(batch.weights.of_rows, divergence.astype(np.float64))
        by_class = (batch.by_class(weighted) * mean).astype(divergence.dtype)
    return KLBreakdown(entropy, entropy + divergence, divergence, by_class)
