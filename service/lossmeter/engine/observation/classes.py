"""What is seen of losses over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.divergence_terms import gap
from lossmeter.engine.fused import kernels
from lossmeter.engine.numerics import LONG_ROW, row_sums
from lossmeter.engine.observation.forecasts import MOST_ROWS
from lossmeter.engine.observation.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
    from lossmeter.engine.class_batch import ClassBatch
    from lossmeter.engine.predictions import AtTargets
    from lossmeter.engine.predictions.base import Chosen


class ClassWatcher(Watcher):
    """Sees rows of ``Float[n, classes]``."""

    def __init__(self, batch: ClassBatch, **wanted: Any) -> None:  # noqa: ANN401  those of Watcher
        super().__init__(batch, classes=batch.shape[1], room=1.01 + batch.options.tolerance, **wanted)
        self._predictions, self._targets = batch.predictions, batch.targets
        # Not by how a block lies in memory, which is another thing for a row alone than for many.
        by_row = batch.predictions.by_row or batch.shape[1] >= LONG_ROW
        self._in_one_pass = by_row and kernels() is not None
        self._alone = "gradients" not in batch.options.include  # which are made of the same memory

    def truths(self) -> tuple[Indices, Mask | None]:
        """As they were sent."""
        return self._targets.indices, self._targets.soft

    def see_targets(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """Rows that were scored at their single true class, as their loss has seen them."""
        if self._in_one_pass:
            self._see_in_one_pass(rows, targets, view)
            return
        masses, whole = view.masses()
        p = (
            masses
            if self._alone and masses.dtype == np.float64
            else scratch.matrix("observed", *masses.shape)
        )
        if whole is not None:
            np.multiply(masses, (1 / whole)[:, None], out=p)
        elif p is not masses:
            np.copyto(p, masses)
        outcome = view.outcome
        self.of_targets(rows, targets, p, (outcome.log_p, outcome.p, outcome.not_p), self._sent(rows))

    def _see_in_one_pass(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """The same, by compiled loops, whose sums have another order."""
        masses, whole = view.masses()
        values = np.ascontiguousarray(self._predictions.values[rows])
        outcome, loops = view.outcome, cast("Any", kernels())
        p = masses
        if not (self._alone and masses.dtype == np.float64):
            p = scratch.rows("observed", masses.shape[0], masses.shape[1], np.dtype(np.float64))
            np.copyto(p, masses)
        n, classes = masses.shape
        weights = np.ones(n) if self._weights.of_rows is None else self._weights.of_rows[rows]
        whole_weights = bool(((weights == 0) | (weights == 1)).all())
        counted = (weights == 1) & whole_weights
        squares, confidence = np.empty(n), np.empty(n)
        pieces = -(-n // MOST_ROWS)
        forecast = np.zeros((pieces, classes), np.int64)
        predicted, hit = np.empty(n, np.intp), np.empty(n, np.bool_)
        inverse = np.ones(n) if whole is None else 1 / whole
        of_targets = np.ascontiguousarray(outcome.p, np.float64)
        noted = squares, predicted, confidence, hit, forecast
        loops.see_rows(p, inverse, values, targets, of_targets, counted, self._k, *noted)
        self.brier[rows] = outcome.not_p * outcome.not_p + squares
        self.hit[rows], self.correct[rows] = hit, predicted == targets
        self.surprised(rows, outcome.log_p)
        group = self.note(rows, p, predicted, confidence)
        if not whole_weights:
            self.foresee(rows, p, group)
            return
        self.forecast.add_whole(forecast)
        if self.group_forecast is not None:
            sums = np.zeros((pieces, self.classes * self._bins * classes), np.int64)
            loops.add_groups(p, group, counted, sums)
            self.group_forecast.add_whole(sums)

    def see_rows(self, rows: Chosen, losses: Vector) -> None:
        """Rows whose loss looked at every class; some may have a single true one all the same."""
        soft = self._targets.soft
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        hard = numbers if soft is None else numbers[~soft[numbers]]
        if hard.size:
            targets = self._targets.indices[hard]
            self.see_targets(hard, targets, self._predictions.at_targets(hard, targets))
        if soft is not None and len(hard) < len(numbers):
            self._shared(numbers[soft[numbers]], losses)

    def _shared(self, rows: Indices, losses: Vector) -> None:
        """Rows whose truth is shared among classes."""
        outcome = self._predictions.all_classes(rows).outcome
        truth = np.array(self._targets.distributions[rows], np.float64)  # type: ignore[index]  # there are some
        distance = gap(truth, outcome.p, outcome.not_p)
        self.brier[rows] = row_sums(distance * distance)
        self.of_shares(rows, truth, outcome.log_p, losses[rows])
        p = scratch.matrix("observed", *truth.shape)
        np.copyto(p, outcome.p)
        self.see(rows, p, self._sent(rows))

    def _sent(self, rows: Chosen) -> Callable[[Indices | slice], Matrix]:
        """Gives the values of some rows of a block."""
        return lambda some: self._predictions.values[rows][some]
