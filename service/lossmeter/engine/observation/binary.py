"""The same of binary losses: one number per row is two classes, many are labels that are each true or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.binary_predictions import BinaryLogits
from lossmeter.engine.numerics import finite_product, row_sums
from lossmeter.engine.observation.forecasts import add_forecast
from lossmeter.engine.observation.watcher import Watcher
from lossmeter.engine.state.exact import exact_columns

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
    from lossmeter.engine.binary_batch import BinaryBatch
    from lossmeter.engine.binary_view import View
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.predictions import AtTargets
    from lossmeter.engine.predictions.base import Chosen


class BinaryWatcher(Watcher):
    """Sees rows of ``Float[n]``, of which p = [1 − p₁, p₁], or of ``Float[n, labels]``."""

    def __init__(self, batch: BinaryBatch, **wanted: Any) -> None:  # noqa: ANN401  those of Watcher
        super().__init__(batch, classes=2 if batch.single else batch.shape[1], room=1.01, **wanted)
        self._batch = batch
        self._truth = np.full(batch.shape[0], 0 if batch.single else -1, np.intp)
        self._is_soft = np.zeros(batch.shape[0], np.bool_)

    def truths(self) -> tuple[Indices, Mask | None]:
        """Noted while they were seen; −1 for labels."""
        return self._truth, self._is_soft

    def see_targets(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """There are none: labels are scored each for itself."""

    def see_rows(self, rows: Chosen, losses: Vector) -> None:
        """A block."""
        for piece in self._batch.pieces(rows):  # type: ignore[arg-type]  # blocks are slices here
            view = self._batch.view(piece, 0.0)
            if not self._batch.single:
                self._labels(piece, view)
                continue
            shared = view.minor[:, 0] > 0
            numbers = np.arange(piece.start, piece.stop)
            if not shared.all():
                self._hard(numbers[~shared], _some(view, ~shared))
            if shared.any():
                self._soft(numbers[shared], _some(view, shared), losses)

    def _hard(self, rows: Indices, view: View) -> None:
        outcome = view.predictions.outcome(view.sent, view.true)
        p = _both(view)
        self._truth[rows] = view.true[:, 0]
        of_target = (outcome.log_p[:, 0], outcome.p[:, 0], outcome.not_p[:, 0])
        self.of_targets(rows, view.true[:, 0].astype(np.intp), p, of_target, lambda some: _sent(view, some))

    def _soft(self, rows: Indices, view: View, losses: Vector) -> None:
        truth = np.where(view.true ^ np.array([True, False]), 1 - view.minor, view.minor)
        p = _both(view)
        self._is_soft[rows] = True
        yes, no = (
            view.predictions.outcome(view.sent, np.full(view.sent.shape, each)) for each in (True, False)
        )
        self.brier[rows] = row_sums((p - truth) ** 2)
        self.of_shares(rows, truth, np.concatenate([no.log_p, yes.log_p], axis=1), losses[rows])
        self.see(rows, p, lambda some: _sent(view, some))

    def _labels(self, rows: Rows, view: View) -> None:
        """Σ v t and Σ v p by label: where labels do not exclude each other, there is no class to predict."""
        truth = np.where(view.true, 1 - view.minor, view.minor)
        weight = self._weights.samples(rows)
        if weight is not None:
            truth = finite_product(weight.astype(np.float64)[:, None], truth)
        p = scratch.matrix("observed", *truth.shape)
        np.copyto(p, view.probabilities())
        add_forecast(self.forecast, p, None if weight is None else weight.astype(np.float64))
        with self._lock:
            self.shares[0].add_digits(exact_columns(truth))


def _some(view: View, chosen: Mask) -> View:
    return type(view)(
        view.predictions, view.epsilon, view.sent[chosen], view.true[chosen], view.minor[chosen]
    )


def _both(view: View) -> Matrix:
    """The probabilities of "false" and "true", ``Float64[rows, 2]`` in scratch memory."""
    yes = view.predictions.outcome(view.sent, np.ones(view.sent.shape, np.bool_))
    p = scratch.matrix("observed", len(view.sent), 2)
    p[:, 0], p[:, 1] = yes.not_p[:, 0], yes.p[:, 0]
    return p


def _sent(view: View, some: Indices | slice) -> Matrix:
    """Numbers in the order of the probabilities of "false" and "true": what was sent, against its middle."""
    sent = view.sent[some, 0]
    if isinstance(view.predictions, BinaryLogits):
        return np.stack([np.zeros_like(sent), sent], axis=1)
    no = view.predictions.outcome(sent, np.zeros(sent.shape, np.bool_))
    return np.stack(
        [no.log_p, sent] if view.predictions.name == "log_probabilities" else [no.p, sent], axis=1
    )
