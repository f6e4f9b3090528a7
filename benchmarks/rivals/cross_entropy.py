"""The mathematics of every rival: cross-entropy of lists of logits in NumPy, as one writes it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def score(logits: Sequence[Sequence[float]], targets: Sequence[int]) -> dict[str, Any]:
    """The mean loss, the loss of every row, and the gradient of the mean; all as lists."""
    losses, gradients = arrays(np.array(logits), np.array(targets))
    return {"loss": losses.mean().item(), "losses": losses.tolist(), "gradients": gradients.tolist()}


def arrays(logits: NDArray[Any], targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Losses ``Float[n]`` and gradients of their mean ``Float[n, classes]``."""
    rows = np.arange(len(targets))
    logits = logits - logits.max(axis=1, keepdims=True)
    gradients = np.exp(logits)
    sums = gradients.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) - logits[rows, targets]
    gradients /= sums
    gradients[rows, targets] -= 1
    gradients /= len(targets)
    return losses, gradients
