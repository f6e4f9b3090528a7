"""One number per row, read as two classes: what a model says of "1" is what it does not say of "0"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.arrays import Mask, Matrix, Vector


def two_classes(name: str, values: Vector) -> tuple[str, Matrix]:
    """``Float[n]`` as ``Float64[n, 2]``, with the name of what it then is.

    Logits z become [0, z]; the others log-probabilities [log(1−p), log p], which keep the digits of both ends.
    """
    sent = values.astype(np.float64)
    with np.errstate(all="ignore"):
        if name == "logits":
            return name, np.stack([np.zeros_like(sent), sent], axis=1)
        if name == "probabilities":
            return "log_probabilities", np.stack([np.log1p(-sent), np.log(sent)], axis=1) + 0.0
        other = np.where(sent > -np.log(2), np.log(-np.expm1(sent)), np.log1p(-np.exp(sent)))
        return "log_probabilities", np.stack([other, sent], axis=1) + 0.0


def two_class_targets(targets: NDArray[Any], ignored: Mask) -> NDArray[Any]:
    """Truths in [0, 1] for the two classes: indices where all are hard, else ``Float64[n, 2]``; 0 where ignored."""
    truth = np.where(ignored, 0.0, targets.astype(np.float64))
    if np.isin(truth, (0.0, 1.0)).all():
        return truth.astype(np.intp)
    return np.stack([1 - truth, truth], axis=1)
