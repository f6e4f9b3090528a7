"""One number per row, read as two classes: what a model says of "1" is what it does not say of "0"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.arrays import rectangle
from lossmeter.engine.preparation import BINARY

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lossmeter.engine.arrays import Mask, Matrix, Vector


def as_two_classes(
    name: str,
    values: Vector,
    targets: ArrayLike | None,
    sample_weights: ArrayLike | None,
    ignore_index: int | None,
) -> tuple[str, dict[str, Any]]:
    """What ``Float[n]`` is as ``Float64[n, 2]``: its name, and the arrays by theirs; the truth has been checked.

    A row that is ignored weighs nothing: a soft truth has no index to say so.

    Raises:
        InvalidInputError: an element that is no logit, probability or log-probability.
    """
    ignored: Mask = np.zeros(len(values), dtype=np.bool_)
    if targets is not None and ignore_index is not None:
        ignored = rectangle(targets, "targets") == ignore_index
    predictions = BINARY[name](values[:, None], ignored if ignored.any() else None)
    sent = predictions.load(slice(None))
    if not predictions.valid(sent).all():
        raise predictions.refusal(single=True)
    if ignored.any():
        weights = np.ones(len(values)) if sample_weights is None else np.asarray(sample_weights)
        sample_weights = np.where(ignored, 0, weights)
    kind, matrix = _columns(name, sent[:, 0].astype(np.float64))
    truth = None if targets is None else _truths(np.asarray(targets), ignored)
    return kind, {kind: matrix, "targets": truth, "sample_weights": sample_weights, "ignore_index": None}


def _columns(name: str, sent: Vector) -> tuple[str, Matrix]:
    """Logits z as [0, z]; the others as log-probabilities [log(1−p), log p], which keep the digits of both ends."""
    with np.errstate(all="ignore"):
        if name == "logits":
            return name, np.stack([np.zeros_like(sent), sent], axis=1)
        if name == "probabilities":
            return "log_probabilities", np.stack([np.log1p(-sent), np.log(sent)], axis=1) + 0.0
        other = np.where(sent > -np.log(2), np.log(-np.expm1(sent)), np.log1p(-np.exp(sent)))
        return "log_probabilities", np.stack([other, sent], axis=1) + 0.0


def _truths(targets: NDArray[Any], ignored: Mask) -> NDArray[Any]:
    """Class indices where all are hard, else ``Float64[n, 2]``; 0 where ignored."""
    truth = np.where(ignored, 0.0, targets.astype(np.float64))
    if np.isin(truth, (0.0, 1.0)).all():
        return truth.astype(np.intp)
    return np.stack([1 - truth, truth], axis=1)
