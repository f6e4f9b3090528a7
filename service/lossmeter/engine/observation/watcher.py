"""What is seen of a block of rows while it is in the cache: a few numbers per row, and sums over its probabilities."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.numerics import LONG_ROW, finite_product, row_sums
from lossmeter.engine.observation.cells import put, taken
from lossmeter.engine.observation.forecasts import Tally, add_forecast, add_group_forecast
from lossmeter.engine.observation.powers import square
from lossmeter.engine.observation.ranks import NEAR, Block, bins_of
from lossmeter.engine.state.digits import Accumulator
from lossmeter.engine.state.exact import exact_columns, exact_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
    from lossmeter.engine.batch import Batch, Weights
    from lossmeter.engine.predictions.base import AtTargets, Chosen


class Watcher(ABC):
    """Sees every block once, from several threads.

    Attributes:
        group: ``Int[n]``, predicted class · bins + bin of its confidence.
        confidence: ``Float64[n]``.
        log_loss: ``Float64[n]``, w H(t, p), nats.
        brier: ``Float64[n]``, Σ_c (p_c − t_c)².
        correct: ``Bool[n]``, whether the only true class is the predicted one.
        hit: ``Bool[n]``, whether the truth is among the k most probable.
        forecast: Σ w p by class, in units of 2^−50.
        group_forecast: Σ w p by group and class, in units of 2^−50; None where it is not wanted.
        impurity: of soft rows, w (1 − Σ_c t_c²).
        shares: of soft rows by class: w t, y t, y² t and w t (−log p); then rows with a certain miss of it.
        probabilities: ``Float64[n, classes]``, where they are wanted.
        losses: ``Float64[n]``, weighted, nats.
    """

    def __init__(  # noqa: PLR0913  what is wanted of it
        self, batch: Batch, classes: int, bins: int, k: int, *, group_forecasts: bool, rows: bool, room: float
    ) -> None:
        n = batch.shape[0]
        self._weights: Weights = batch.weights
        self._near, self._room, self._k, self._bins = NEAR[batch.dtype], room, k, bins
        self.classes = classes
        self.group = np.zeros(n, np.intp)
        self.confidence, self.log_loss, self.brier = np.zeros(n), np.zeros(n), np.zeros(n)
        self.hit, self.correct = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self.forecast = Tally(classes)
        self.group_forecast = Tally(classes * bins * classes) if group_forecasts else None
        self.shares = [Accumulator(classes) for _ in range(4)]
        self.impurity = Accumulator(1)
        self.certain_misses = np.zeros(classes, np.int64)
        self.probabilities = np.empty((n, classes)) if rows else None
        self.losses: Vector = np.zeros(0)
        self._lock = threading.Lock()

    def scored(self, losses: Vector) -> None:
        """Keep the weighted losses of all rows, nats."""
        self.losses = np.array(losses, np.float64)

    @abstractmethod
    def see_targets(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """Rows that were scored at their single true class, as their loss has seen them."""

    @abstractmethod
    def see_rows(self, rows: Chosen, losses: Vector) -> None:
        """Rows that were scored in another way."""

    @abstractmethod
    def truths(self) -> tuple[Indices, Mask | None]:
        """The single true class of each row, and which rows have none (None: all have one)."""

    def of_targets(
        self,
        rows: Chosen,
        targets: Indices,
        p: Matrix,
        outcome: tuple[Vector, Vector, Vector],
        sent: Callable[[Indices | slice], Matrix],
    ) -> None:
        """Rows with a single true class.

        Args:
            rows: which.
            targets: ``Int[rows]``, their classes.
            p: ``Float64[rows, classes]`` in scratch memory; overwritten.
            outcome: log p, p and 1 − p of the targets.
            sent: gives the values as sent of some of the rows.
        """
        log_p, p_target, not_p = outcome
        put(p, targets, 0)
        self.brier[rows] = not_p * not_p + squares(p)
        put(p, targets, p_target)
        self.surprised(rows, log_p)
        self.hit[rows] = Block(p, sent, self._near).among(targets, p_target, self._k, self._room)
        majority = p_target > self._room / 2
        self.correct[rows] = self.see(rows, p, sent, (targets, majority)) == targets

    def surprised(self, rows: Chosen, log_p: Vector) -> None:
        """Note the log loss of rows with a single true class."""
        weights = self._weights.of_rows
        surprise = 0.0 - log_p
        self.log_loss[rows] = surprise if weights is None else finite_product(weights[rows], surprise)

    def of_shares(self, rows: Chosen, truth: Matrix, log_p: Matrix, losses: Vector) -> None:
        """Sums over rows of shared truths, by class."""
        weights = self._weights.of_rows
        weight = np.ones(len(truth)) if weights is None else weights[rows]
        surprise = finite_product(truth, 0.0 - log_p)
        self.log_loss[rows] = finite_product(weight, row_sums(surprise))
        missed = np.isinf(surprise) & (weight > 0)[:, None]
        y = np.where(np.isfinite(losses), losses, 0).astype(np.float64)[:, None]
        w = weight[:, None]
        parts = (
            w * truth,
            y * truth,
            square(y) * truth,
            finite_product(w, np.where(missed, 0, surprise)),
        )
        sums = [exact_columns(part) for part in parts]
        impurity = exact_sums(weight * np.maximum(1 - row_sums(truth * truth), 0))
        with self._lock:
            self.impurity.add_digits(impurity)
            self.certain_misses += np.count_nonzero(missed, axis=0)
            for share, found in zip(self.shares, sums, strict=True):
                share.add_digits(found)

    def see(
        self,
        rows: Chosen,
        p: Matrix,
        sent: Callable[[Indices | slice], Matrix],
        known: tuple[Indices, Mask] | None = None,
    ) -> Indices:
        """The predicted classes, noted with their confidence and with what the probabilities sum to.

        Args:
            rows: which.
            p: ``Float64[rows, classes]`` in scratch memory; overwritten.
            sent: gives the values as sent of some of the rows.
            known: classes, and where they are sure to be the predicted ones.
        """
        predicted = Block(p, sent, self._near).predicted(known)
        group = self.note(rows, p, predicted, np.minimum(taken(p, predicted), 1))
        self.foresee(rows, p, group)
        return predicted

    def note(self, rows: Chosen, p: Matrix, predicted: Indices, confidence: Vector) -> Indices:
        """Note what is predicted, and return the group of each row."""
        group = predicted * self._bins + bins_of(confidence, self._bins)
        self.confidence[rows], self.group[rows] = confidence, group
        if self.probabilities is not None:
            self.probabilities[rows] = p
        return group

    def foresee(self, rows: Chosen, p: Matrix, group: Indices) -> None:
        """Add up the probabilities, which are overwritten."""
        weights = None if self._weights.of_rows is None else self._weights.of_rows[rows]
        if self.group_forecast is not None:
            add_group_forecast(self.group_forecast, p, group, self.classes * self._bins, weights)
        add_forecast(self.forecast, p, weights)


def squares(p: Matrix) -> Vector:
    """Σ_c p² of each row, in an order that depends on the number of classes alone."""
    return np.vecdot(p, p) if p.shape[1] >= LONG_ROW else row_sums(p * p)
