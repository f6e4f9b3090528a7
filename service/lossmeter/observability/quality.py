"""What a scored batch adds to the series of its labels: a number for each place in the row that it changes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.engine import score
from lossmeter.engine.judgement import judge
from lossmeter.engine.losses import make_loss
from lossmeter.engine.options import INPUTS, nats_per
from lossmeter.observability.catalogue import NATS, QUALITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lossmeter.engine import Measured, Scores
    from lossmeter.engine.arrays import Floats, Mask, Vector

    Counted = tuple[int, float]

FEW: Final = 64
"""Up to so many numbers, Python is done before NumPy has begun."""

_ROWS: Final = ("targets", "sample_weights")
_OPTIONS: Final = (
    "loss",
    "label_smoothing",
    "ignore_index",
    "temperature",
    "normalization",
    "epsilon",
    "tolerance",
)

_PLACE: Final = QUALITY.places
_BUCKETS: Final = _PLACE["lossmeter_row_loss_nats"]
_SUM: Final = _BUCKETS + len(NATS) + 1
_BOUNDS: Final = np.array(NATS)


def predictions(arguments: Mapping[str, Any]) -> tuple[str, Floats]:
    """Which of the three inputs a batch has, and the array."""
    name = next(name for name in INPUTS if name in arguments)
    return name, arguments[name]


def counted(
    arguments: Mapping[str, Any], scores: Scores, *, judged: bool, threads: int | None
) -> Iterator[Counted]:
    """What changes, and by how much.

    Args:
        arguments: what the engine was told.
        scores: what it answered, with the losses.
        judged: whether the predictions themselves are looked at, which is a pass over them.
        threads: how many may work.
    """
    nats = nats_per(scores.unit)
    yield _PLACE["lossmeter_rows_scored"], scores.count
    if scores.ignored:
        yield _PLACE["lossmeter_rows_ignored"], scores.ignored
    if scores.losses is not None and scores.count:
        yield from _of_losses(arguments, scores, scores.losses, nats)
    if scores.kl is not None:
        yield from _of_divergences(scores.kl.kl_divergence, scores.ignored, nats)
    if scores.gradients is not None:
        factor = scores.denominator if scores.reduction == "mean" else 1.0
        yield from _of_gradients(scores.gradients, scores.ignored, factor * nats)
    if judged:
        yield from _of_predictions(arguments, threads)


def measured(arguments: Mapping[str, Any], found: Measured, threads: int | None) -> Iterator[Counted]:
    """What changes when a batch was measured: its log loss, if that is among the metrics, and its predictions."""
    yield _PLACE["lossmeter_rows_scored"], found.count
    yield _PLACE["lossmeter_rows_ignored"], found.ignored
    loss = found.metrics.get("log_loss")
    if isinstance(loss, float) and np.isfinite(loss):
        yield _PLACE["lossmeter_loss_nats"], loss * found.weight
        yield _PLACE["lossmeter_loss_weight"], found.weight
    yield from _of_predictions(arguments, threads)


def _of_losses(arguments: Mapping[str, Any], scores: Scores, sent: Vector, nats: float) -> Iterator[Counted]:
    losses = sent if nats == 1 else sent * nats
    weight = scores.denominator
    total, left_out = _finite(losses)
    if left_out:
        weight = max(weight - _weight(arguments, scores, ~np.isfinite(losses)), 0.0)
        yield _PLACE["lossmeter_losses_not_finite"], left_out
    yield _PLACE["lossmeter_loss_nats"], total
    yield _PLACE["lossmeter_loss_weight"], weight
    yield _SUM, total
    if scores.ignored:
        yield _BUCKETS, -scores.ignored  # their losses are 0
    yield from _by_bucket(losses)


def _by_bucket(losses: Vector) -> Iterator[Counted]:
    """How many losses each bucket holds."""
    if len(losses) > FEW:
        counts = dict(enumerate(np.bincount(np.searchsorted(_BOUNDS, losses)).tolist()))
    else:
        counts = Counter([bisect_left(NATS, loss) for loss in losses.tolist()])
    return ((_BUCKETS + place, count) for place, count in counts.items() if count)


def _weight(arguments: Mapping[str, Any], scores: Scores, rows: Mask) -> float:
    """What rows of infinite loss weigh in the denominator: they are few, so they are scored once more, alone."""
    own = {name: arguments[name] for name in _OPTIONS if name in arguments}
    own |= {name: arguments[name][rows] for name in (*INPUTS, *_ROWS) if name in arguments}
    return score(**own, class_weights=scores.class_weights, include=()).denominator


def _of_divergences(divergences: Vector, ignored: int, nats: float) -> Iterator[Counted]:
    total, left_out = _finite(divergences)
    yield _PLACE["lossmeter_kl_nats"], total * nats
    yield _PLACE["lossmeter_kl_rows"], len(divergences) - ignored - left_out


def _of_gradients(gradients: Floats, ignored: int, factor: float) -> Iterator[Counted]:
    """The Euclidean norm of each row; a row of infinite loss may have none."""
    if gradients.ndim == 1:
        norms = np.abs(gradients)
    elif gradients.size <= FEW:
        norms = np.array([math.hypot(*row) for row in gradients.tolist()])
    else:
        norms = np.sqrt(np.vecdot(gradients, gradients))
    total, left_out = _finite(norms)
    yield _PLACE["lossmeter_gradient_norm"], total * factor
    yield _PLACE["lossmeter_gradient_rows"], len(norms) - ignored - left_out


def _finite(values: Vector) -> tuple[float, int]:
    """The sum of those that are finite, and how many are not."""
    total = sum(values.tolist()) if len(values) <= FEW else float(np.add.reduce(values, dtype=np.float64))
    if math.isfinite(total):
        return total, 0
    finite = np.isfinite(values)
    total = float(np.add.reduce(values, where=finite, dtype=np.float64))
    return total, len(values) - int(np.count_nonzero(finite))


def _of_predictions(arguments: Mapping[str, Any], threads: int | None) -> Iterator[Counted]:
    kind, values = predictions(arguments)
    if values.ndim > 1 and make_loss(arguments.get("loss", "cross_entropy")).binary:
        return  # labels, each of them right or wrong by itself: there is no one class
    found = judge(
        kind,
        values,
        arguments["targets"],
        ignore_index=arguments.get("ignore_index"),
        temperature=arguments.get("temperature", 1.0),
        threads=threads,
    )
    yield _PLACE["lossmeter_entropy_nats"], found.entropy
    yield _PLACE["lossmeter_confidence"], found.confidence
    yield _PLACE["lossmeter_confidence_rows"], found.rows
    yield _PLACE["lossmeter_correct_rows"], found.correct
    yield _PLACE["lossmeter_classified_rows"], found.classified
