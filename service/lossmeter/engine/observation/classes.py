"""What is seen of losses over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.divergence_terms import gap
from lossmeter.engine.numerics import row_sums
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
        self._alone = "gradients" not in batch.options.include  # which are made of the same memory

    def truths(self) -> tuple[Indices, Mask | None]:
        """As they were sent."""
        return self._targets.indices, self._targets.soft

    def see_targets(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """Rows that were scored at their single true class, as their loss has seen them."""
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
