"""What the base rate would have cost: the forecast that gives every row the shares of the classes in these rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector


def entropy(weights: Vector) -> float:
    """−Σ b log b of the shares b of ``Float[classes]`` weights, nats: the log loss of the base rate.

    Of the largest share the logarithm is taken of what it is short of 1, so that a rare class keeps its digits.
    """
    shares, short = _shares(weights)
    largest = int(np.argmax(shares))
    rare = np.delete(shares, largest)
    rare = rare[rare > 0]
    return float(-(rare * np.log(rare)).sum() - shares[largest] * np.log1p(-short[largest])) + 0.0


def impurity(weights: Vector) -> float:
    """Σ b (1 − b), Gini's: the Brier score of the base rate where the truth is a class."""
    shares, short = _shares(weights)
    return float((shares * short).sum())


def _shares(weights: Vector) -> tuple[Vector, Vector]:
    """Shares b, and 1 − b; that of the largest is the sum of the others."""
    shares = weights / weights.sum()
    short = 1 - shares
    largest = int(np.argmax(shares))
    short[largest] = np.delete(shares, largest).sum()
    return shares, short
