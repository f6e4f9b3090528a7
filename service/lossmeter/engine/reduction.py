"""From scored blocks to the answer: run them, reduce the losses, put everything in the unit and shape asked for."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.batch import Output, weighed
from lossmeter.engine.results import KLBreakdown, Scores
from lossmeter.engine.summation import total
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.batch import Batch, Watcher
    from lossmeter.engine.options import Options


def reduced(
    batch: Batch,
    shape: tuple[int, ...],
    options: Options,
    threads: int | None,
    watcher: Watcher | None = None,
) -> Scores:
    """Score the blocks and put the answer together, in the unit asked for and the shape as sent.

    Args:
        batch: what to score.
        shape: of the input as sent.
        options: how.
        threads: how many may work.
        watcher: sees every block, if any does.
    """
    of_rows = batch.weights.of_rows
    weight = float(batch.count) if of_rows is None else total(of_rows, threads)
    denominator = weight if options.normalization == "weight" else float(batch.count if weight else 0)
    if weight and not sys.float_info.min <= weight < math.inf:
        detail = f"weights whose sum has a finite inverse are wanted; this one is {weight:g}"
        raise InvalidInputError.at("sample_weights", detail=detail)
    mean = 1 / denominator if denominator else 0.0
    nats = options.nats_per_unit
    output = Output.empty(batch.shape, batch.dtype, options)
    output.watcher = watcher
    scale = (mean if options.reduction == "mean" else 1.0) / nats
    blocks.run(batch.shape, lambda rows: batch.score(rows, scale, output), threads, batch.matrices)
    if watcher is not None:
        watcher.scored(output.losses)
    losses = _divided(output.losses, nats)
    whole = total(losses, threads) if options.reduction != "none" else None
    if whole is not None and options.reduction == "mean":
        whole = whole / denominator if denominator else 0.0
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
        if output.contributions is None
        else _divided(output.contributions, nats).reshape(shape),
        probabilities=None if output.probabilities is None else output.probabilities.reshape(shape),
    )


def _breakdown(batch: Batch, output: Output, mean: float, nats: float) -> KLBreakdown | None:
    """The KL part; cross-entropy is made of the other two, so that they add up to the last digit."""
    if output.kl_divergence is None or output.target_entropy is None:
        return None
    divergence, entropy = _divided(output.kl_divergence, nats), _divided(output.target_entropy, nats)
    with np.errstate(all="ignore"):
        weighted = weighed(batch.weights.of_rows, divergence.astype(np.float64, copy=False))
        by_class = (batch.by_class(weighted) * mean).astype(divergence.dtype)
    return KLBreakdown(entropy, entropy + divergence, divergence, by_class)


def _divided(values: Floats, nats: float) -> Floats:
    """What is in nats in the unit that holds so many of them, in place."""
    return values if nats == 1 else np.divide(values, values.dtype.type(nats), out=values)
