"""Batches for the metrics: ordinary ones, with ties, and every degenerate one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.metrics.observed import observed
from lossmeter.engine.metrics import compute

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Binning, Evidence
    from lossmeter.engine.metrics import Answer


@dataclass(frozen=True)
class Sample:
    """Rows to be judged.

    Attributes:
        probabilities: ``Float[n, classes]``.
        targets: ``Int[n]``, or distributions ``Float[n, classes]``.
        weights: ``Float[n]``; None for 1 each.
    """

    probabilities: NDArray[np.float64]
    targets: NDArray[Any]
    weights: NDArray[np.float64] | None = None

    def evidence(self, binning: Binning = "equal_width", *, kept: bool = True) -> Evidence:
        """Of these rows, in 10 bins and with k = 2."""
        return observed(
            self.probabilities, self.targets, self.weights, bins=10, k=2, binning=binning, kept=kept
        )

    def metrics(self, binning: Binning = "equal_width") -> tuple[dict[str, Answer], dict[str, str]]:
        """Every metric of these rows, and what is undefined."""
        return compute(self.evidence(binning))

    def weighted(self) -> Sample:
        """The same with weights that are multiples of 1/8, so that sums of a few are exact."""
        weights = np.random.default_rng(5).integers(1, 24, len(self.targets)) / 8
        return replace(self, weights=weights)


def ordinary(n: int = 60, classes: int = 4, seed: int = 0) -> Sample:
    """A fair classifier: no ties, every class occurs and is predicted."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    logits = rng.normal(0, 1.2, (n, classes)) + 1.5 * np.eye(classes)[targets]
    return Sample(softmax(logits), targets)


def tied(n: int = 40, classes: int = 3, seed: int = 1) -> Sample:
    """Probabilities in eighths: many of them equal, some of them 0 or 1, but never 0 at the truth."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    parts = rng.multinomial(7, np.full(classes, 1 / classes), n) + np.eye(classes, dtype=int)[targets]
    return Sample(parts / 8, targets)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """By the textbook."""
    masses = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(masses / masses.sum(axis=1, keepdims=True))


def _soft() -> Sample:
    rng = np.random.default_rng(2)
    return Sample(rng.dirichlet(np.ones(3), 8), rng.dirichlet(np.ones(3), 8))


DEGENERATE = {
    "one row": Sample(np.array([[0.2, 0.5, 0.3]]), np.array([1])),
    "one row, missed": Sample(np.array([[0.2, 0.5, 0.3]]), np.array([2])),
    "one row, certain": Sample(np.array([[0.0, 1.0]]), np.array([1])),
    "one class, always predicted": Sample(np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1]]), np.zeros(3, int)),
    "an absent class": replace(ordinary(), targets=np.arange(60) % 3),
    "a class never predicted": Sample(np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1]]), np.array([0, 1, 0])),
    "never right": Sample(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([1, 1])),
    "a certain miss": Sample(np.array([[1.0, 0.0], [0.3, 0.7], [0.6, 0.4]]), np.array([1, 1, 0])),
    "a group that is surely wrong": Sample(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1, 1])),
    "perfect": Sample(np.eye(3), np.arange(3)),
    "all equal": Sample(np.full((6, 3), 1 / 3), np.arange(6) % 3),
    "weights of 0": replace(ordinary(), weights=np.where(np.arange(60) % 3 > 0, 1.0, 0.0)),
    "all weights 0": replace(ordinary(), weights=np.zeros(60)),
    "one class": replace(ordinary(), targets=np.zeros(60, int)),
    "single class": Sample(np.ones((4, 1)), np.zeros(4, int)),
    "soft": _soft(),
    "tiny weights": replace(ordinary(), weights=np.full(60, 1e-300)),
    "huge weights": replace(ordinary(), weights=np.full(60, 1e300)),
}
