"""Scoring against one truth per row: the losses over classes, written once around all of them.

A row with a single true class is never spread into a one-hot row: it needs softmax at the target only. Rows that are
soft, or smoothed, are seen at every class. Which of the two a row is depends on that row alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.batch import Batch, Output, Weights
from lossmeter.engine.losses import DivergenceLoss, TargetLoss
from lossmeter.engine.numerics import LONG_ROW, finite_product, row_sums
from lossmeter.engine.score_at_targets import score_at_targets
from lossmeter.engine.score_every_class import score_every_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Floats, Matrix, Vector
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.options import Options
    from lossmeter.engine.predictions import Predictions
    from lossmeter.engine.predictions.base import Chosen
    from lossmeter.engine.targets import Targets


class ClassBatch(Batch):
    """Rows of ``Float[n, classes]`` against class targets.

    Attributes:
        predictions: what the model said.
        targets: the truth.
        loss: what is to be paid.
        options: how.
    """

    def __init__(  # noqa: PLR0913  the parts of one batch
        self,
        predictions: Predictions,
        targets: Targets,
        loss: TargetLoss | DivergenceLoss,
        options: Options,
        *,
        sample_weights: Vector | None,
        class_weights: Vector | None,
    ) -> None:
        super().__init__(predictions.values, targets.ignored)
        self.predictions, self.targets, self.options = predictions, targets, options
        self.loss = loss
        self._at_target = loss if isinstance(loss, TargetLoss) else loss.hard
        self.weights = self._weigh(sample_weights, class_weights)
        self.matrices = self._kept_matrices()

    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """One block: its hard rows by their target, the others by every class."""
        hard, soft = self._by_kind(rows)
        if hard is not None and self._at_target is not None:
            score_at_targets(self, hard, self._at_target, scale, output)
        if soft is not None:
            score_every_class(self, soft, scale, output)
            if output.watcher is not None:
                output.watcher.see_rows(soft, output.losses)

    def by_class(self, weighted: Vector) -> Vector:
        """Each row's share falls on its true class, or on its classes as the (smoothed) truth has them."""
        classes = self.shape[1]
        if not self.options.label_smoothing and self.targets.distributions is None:
            return np.bincount(self.targets.indices, weighted, classes).astype(np.float64)
        shares = np.zeros(classes)
        for rows in blocks.cut(self.shape):
            truth = self.truth(rows)
            shares += np.add.reduce(finite_product(truth, weighted[rows][:, None]), axis=0)
        return shares

    def _by_kind(self, rows: Rows) -> tuple[Chosen | None, Chosen | None]:
        """Which rows of the block are seen at their target, and which at every class."""
        if self.options.label_smoothing or self._at_target is None:
            return None, rows
        if self.targets.soft is None:
            return rows, None
        soft = self.targets.soft[rows]
        if soft.all() or not soft.any():
            return (None, rows) if soft.any() else (rows, None)
        return rows.start + np.flatnonzero(~soft), rows.start + np.flatnonzero(soft)

    def truth(self, rows: Chosen) -> Matrix:
        """The truth of some rows, ``Float64[rows, classes]``, after smoothing."""
        return self.targets.shares(
            rows, self.options.label_smoothing, lambda: self.predictions.excluded(rows)
        )

    @staticmethod
    def place(gradients: Matrix, rows: Chosen, write: Callable[[Any, Matrix], None], slopes: Floats) -> None:
        """Gradients of a block go straight into the answer, those of single rows through a buffer."""
        if isinstance(rows, slice):
            write(slopes, gradients[rows])
            return
        buffer = np.empty((len(rows), gradients.shape[1]), gradients.dtype)
        write(slopes, buffer)
        gradients[rows] = buffer

    def _kept_matrices(self) -> float:
        """How many float64 matrices of a block are alive at once, by which blocks are cut.

        A target alone needs its masses and a buffer; every class a few forms of p; a divergence many terms. Long rows
        are read where they lie, and the fewer blocks of them there are the better: threads meet between the steps.
        """
        long = self.shape[1] >= LONG_ROW
        if self._at_target is not None and self.targets.soft is None and not self.options.label_smoothing:
            return 1.25 if long else 2
        explained = "kl" in self.options.include or "contributions" in self.options.include
        if explained or not (isinstance(self.loss, TargetLoss) and self.loss.linear):
            return 8
        if not long:
            return 2 if self.predictions.by_row else 4
        return 2.25 if "gradients" in self.options.include else 1.25

    def _weigh(self, samples: Vector | None, classes: Vector | None) -> Weights:
        samples = self.silenced(samples)
        of_rows: Vector | None = None if samples is None else samples.astype(np.float64)
        if classes is not None:
            of_classes = self._class_weight_of_rows(classes)
            with np.errstate(over="ignore"):  # an infinite weight is refused where they are summed
                of_rows = of_classes if of_rows is None else of_rows * of_classes
        return Weights(samples, classes, of_rows)

    def _class_weight_of_rows(self, classes: Vector) -> Vector:
        """Σ_c w_c t_c of every row, float64."""
        weights = classes.astype(np.float64)
        if not self.options.label_smoothing and self.targets.distributions is None:
            return weights[self.targets.indices]
        mean = np.empty(self.shape[0])

        def look(rows: Rows) -> None:
            mean[rows] = row_sums(self.truth(rows) * weights)

        blocks.run(self.shape, look)
        return mean
