"""The batch that a calibration is fitted to: logits in float64, and how much of the truth falls on each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import Matrix
from lossmeter.engine.class_batch import ClassBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.blocks import Rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows to fit to.

    Attributes:
        logits: ``Float64[n, classes]``; −∞ is a masked class.
        batch: their truth and weights.
        threads: how many may work; None for one per core.
    """

    logits: Matrix
    batch: ClassBatch
    threads: int | None

    def weights(self, rows: Rows) -> Vector:
        """``Float64[rows]``, v Σ_c w_c t_c; 0 where a row is ignored."""
        of_rows = self.batch.weights.of_rows
        if of_rows is not None:
            return of_rows[rows]
        return np.ones(len(self.logits[rows]))

    def shares(self, rows: Rows) -> Matrix:
        """``Float64[rows, classes]``, v w_c t_c: they add up to the weight of each row."""
        shares = self.batch.truth(rows).copy()
        weights = self.batch.weights
        if weights.of_classes is not None:
            shares *= weights.of_classes
        if weights.of_samples is not None:
            shares *= weights.of_samples[rows][:, None]
        return shares

    def gaps(self, rows: Rows) -> Matrix:
        """``Float64[rows, classes]``, how far every logit is below the largest of its row; ∞ where masked."""
        block = self.batch.predictions.load(rows, 0.0)
        return np.subtract(np.max(block, axis=1, keepdims=True), block)

    def over_blocks(self, work: Callable[[Rows], T]) -> list[T]:
        """What ``work`` makes of every block, in the order of the rows, whichever thread was first."""
        parts: dict[int, T] = {}

        def keep(rows: Rows) -> None:
            parts[rows.start] = work(rows)

        blocks.run(self.logits.shape, keep, self.threads, matrices=6)
        return [parts[start] for start in sorted(parts)]
