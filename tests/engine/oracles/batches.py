"""Ordinary batches for the oracles: nothing extreme, since what is compared here is meaning, not the last digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N, CLASSES = 12, 5


@dataclass(frozen=True)
class Examples:
    """A batch with every kind of truth and weight.

    Attributes:
        logits: ``Float[n, classes]``.
        probabilities: softmax of them, rows that sum to 1.
        hard: ``Int[n]``.
        soft: ``Float[n, classes]``.
        class_weights: ``Float[classes]``.
        sample_weights: ``Float[n]``.
        alpha: ``Float[classes]``.
    """

    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    hard: NDArray[np.int64]
    soft: NDArray[np.float64]
    class_weights: NDArray[np.float64]
    sample_weights: NDArray[np.float64]
    alpha: NDArray[np.float64]


def examples() -> Examples:
    """The same batch every time."""
    random = np.random.default_rng(7)
    logits = 2 * random.normal(size=(N, CLASSES))
    masses = np.exp(logits)
    return Examples(
        logits=logits,
        probabilities=masses / masses.sum(axis=1, keepdims=True),
        hard=np.arange(N) * 3 % CLASSES,
        soft=random.dirichlet(np.ones(CLASSES), N),
        class_weights=random.uniform(0.2, 3, CLASSES),
        sample_weights=random.uniform(0, 2, N),
        alpha=random.uniform(0.1, 1, CLASSES),
    )
