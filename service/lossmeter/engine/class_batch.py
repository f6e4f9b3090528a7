"""Scoring against one truth per row: the losses over classes, written once around all of them.

A row with a single true class is never spread into a one-hot row: it needs softmax at the target only. Rows that are
soft, or smoothed, are seen at every class. Which of the two a row is depends on that row alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lossmeter.engine import blocks, scratch
from lossmeter.engine.batch import Batch, Output, Weights, clipped, flat_where, weighed
from lossmeter.engine.divergence_terms import entropy, gap, pointwise, relative_entropy
from lossmeter.engine.losses import DivergenceLoss, TargetLoss
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Floats, Indices, Matrix, Vector
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.options import Options
    from lossmeter.engine.outcome import Outcome
    from lossmeter.engine.predictions import AllClasses, Predictions
    from lossmeter.engine.predictions.base import Chosen
    from lossmeter.engine.targets import Targets


class ClassBatch(Batch):
    """Rows of ``Float[n, classes]`` against class targets."""

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
        self.shape = predictions.values.shape
        self.dtype = predictions.values.dtype
        self._predictions, self._targets, self._options = predictions, targets, options
        self._loss = loss
        self._at_target = loss if isinstance(loss, TargetLoss) else loss.hard
        self.count = self.shape[0] - (
            0 if targets.ignored is None else int(np.count_nonzero(targets.ignored))
        )
        self.weights = self._weigh(sample_weights, class_weights)
        if self._at_target is not None and targets.soft is None and not options.label_smoothing:
            self.matrices = 2

    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """One block: its hard rows by their target, the others by every class."""
        hard, soft = self._by_kind(rows)
        if hard is not None and self._at_target is not None:
            self._score_hard(hard, self._at_target, scale, output)
        if soft is not None:
            self._score_soft(soft, scale, output)

    def by_class(self, weighted: Vector) -> Vector:
        """Each row's share falls on its true class, or on its classes as the (smoothed) truth has them."""
        classes = self.shape[1]
        if not self._options.label_smoothing and self._targets.distributions is None:
            return np.bincount(self._targets.indices, weighted, classes).astype(np.float64)
        shares = np.zeros(classes)
        for rows in blocks.cut(self.shape):
            truth = self._truth(rows)
            shares += np.add.reduce(finite_product(truth, weighted[rows][:, None]), axis=0)
        return shares

    def _by_kind(self, rows: Rows) -> tuple[Chosen | None, Chosen | None]:
        """Which rows of the block are seen at their target, and which at every class."""
        if self._options.label_smoothing or self._at_target is None:
            return None, rows
        if self._targets.soft is None:
            return rows, None
        soft = self._targets.soft[rows]
        if soft.all() or not soft.any():
            return (None, rows) if soft.any() else (rows, None)
        return rows.start + np.flatnonzero(~soft), rows.start + np.flatnonzero(soft)

    def _score_hard(self, rows: Chosen, loss: TargetLoss, scale: float, output: Output) -> None:
        targets = self._targets.indices[rows]
        view = self._predictions.at_targets(rows, targets)
        outcome, low = clipped(view.outcome, self._options.epsilon)
        weight = self._weight_at_targets(rows, targets, loss)
        output.losses[rows] = weighed(weight, loss.phi(outcome)) + 0.0
        if output.kl_divergence is not None:
            output.kl_divergence[rows] = self._counted(rows, 0.0 - outcome.log_p)
        if output.contributions is not None:
            output.contributions[rows] = 0
            output.contributions[
                rows.start + np.arange(len(targets)) if isinstance(rows, slice) else rows, targets
            ] = self._counted(rows, 0.0 - outcome.log_p)
        if output.gradients is not None:
            slopes = flat_where(low, view.slopes(loss, outcome, loss.slope(outcome)))
            self._place(output.gradients, rows, view.gradients, weighed(weight, slopes) * scale)
        if output.probabilities is not None:
            again = self._predictions.at_targets(rows, targets)  # the gradients were made of the same memory
            output.probabilities[rows] = self._counted(rows, again.probabilities()) + 0.0

    def _weight_at_targets(self, rows: Chosen, targets: Indices, loss: TargetLoss) -> Vector | None:
        """V w_t times the loss's own factor of the class; None where all of them are 1."""
        factors = loss.class_factors()
        weight = None if self.weights.of_rows is None else self.weights.of_rows[rows]
        if factors is None:
            return weight
        factor = factors.astype(np.float64)[targets]
        return factor if weight is None else weight * factor

    def _score_soft(self, rows: Chosen, scale: float, output: Output) -> None:
        left = self._score_linear(rows, scale, output)
        if left is not None:
            self._score_every_class(left, scale, output)
        if (
            output.kl_divergence is not None
            or output.contributions is not None
            or output.probabilities is not None
        ):
            self._explain(rows, output)

    def _score_linear(self, rows: Chosen, scale: float, output: Output) -> Chosen | None:
        """The shorter way of cross-entropy, for the rows that have one; those left are returned."""
        loss = self._loss
        if not (isinstance(loss, TargetLoss) and loss.linear and self._options.epsilon == 0):
            return rows
        shares = self._shares(rows, loss)
        view = self._predictions.cross_entropy(rows, shares)
        if view is None:
            return rows
        samples = self.weights.samples(rows)
        output.losses[rows] = self._counted(rows, weighed(samples, view.values)) + 0.0
        if output.gradients is not None:
            factor = np.asarray(scale) if samples is None else (samples * scale)[:, None]
            self._place(output.gradients, rows, lambda each, out: view.gradients(shares, each, out), factor)
        if not view.far.size:
            return None
        return view.far + rows.start if isinstance(rows, slice) else rows[view.far]

    def _score_every_class(self, rows: Chosen, scale: float, output: Output) -> None:
        view = self._predictions.all_classes(rows)
        outcome, low = clipped(view.outcome, self._options.epsilon)
        score = self._score_divergence if isinstance(self._loss, DivergenceLoss) else self._score_shares
        output.losses[rows], slopes = score(rows, view, outcome)
        if output.gradients is not None:
            scaled = weighed(self.weights.samples(rows, columns=True), flat_where(low, slopes()))
            self._place(output.gradients, rows, view.gradients, scaled * scale)

    def _score_shares(
        self, rows: Chosen, view: AllClasses, outcome: Outcome
    ) -> tuple[Vector, Callable[[], Matrix]]:
        """Weighted losses of a ``TargetLoss``, and its slopes before sample weights."""
        loss = cast("TargetLoss", self._loss)
        shares = self._shares(rows, loss)
        values = row_sums(finite_product(shares, loss.phi(outcome)))

        def slopes() -> Matrix:
            return finite_product(shares, view.target_slopes(loss, outcome, loss.slope(outcome)))

        return self._counted(rows, weighed(self.weights.samples(rows), values)) + 0.0, slopes

    def _score_divergence(
        self, rows: Chosen, view: AllClasses, outcome: Outcome
    ) -> tuple[Vector, Callable[[], Matrix]]:
        """Weighted losses of a ``DivergenceLoss``, and its slopes before sample weights."""
        loss = cast("DivergenceLoss", self._loss)
        truth = self._truth(rows)
        classes, weights = self.weights.of_classes, self.weights.of_rows
        values = loss.rows(truth, outcome)

        def slopes() -> Matrix:
            by_input = view.divergence_slopes(loss, truth, outcome, loss.slopes(truth, outcome))
            if self._options.epsilon:
                # Clipped rows sum to more than 1; where that brings the loss to its floor, it is flat.
                by_input = np.where(values[:, None] > 0, by_input, 0)
            return (
                by_input if classes is None else finite_product(row_sums(truth * classes)[:, None], by_input)
            )

        weighted = weighed(None if weights is None else weights[rows], values)
        return self._counted(rows, weighted) + 0.0, slopes

    def _explain(self, rows: Chosen, output: Output) -> None:
        """KL, contributions and probabilities of rows seen at every class."""
        view = self._predictions.all_classes(rows)
        if output.probabilities is not None:
            output.probabilities[rows] = self._counted(rows, view.outcome.p) + 0.0
        if output.kl_divergence is None and output.contributions is None:
            return
        outcome, _ = clipped(view.outcome, self._options.epsilon)
        truth = self._truth(rows)
        log_truth = np.log(truth)
        difference = gap(truth, outcome.p, outcome.not_p)
        if output.kl_divergence is not None and output.target_entropy is not None:
            divergence = relative_entropy(truth, log_truth, outcome.p, outcome.log_p, difference)
            output.kl_divergence[rows] = self._counted(rows, divergence)
            output.target_entropy[rows] = self._counted(rows, entropy(truth, log_truth))
        if output.contributions is not None:
            spread = pointwise(truth, log_truth, outcome.p, outcome.log_p, difference)
            output.contributions[rows] = self._counted(rows, spread) + 0.0

    def _truth(self, rows: Chosen) -> Matrix:
        """T after smoothing."""
        return self._targets.shares(
            rows, self._options.label_smoothing, lambda: self._predictions.excluded(rows)
        )

    def _shares(self, rows: Chosen, loss: TargetLoss) -> Matrix:
        """w_c t_c times the loss's own factor of each class."""
        shares = self._truth(rows)
        for factors in (self.weights.of_classes, loss.class_factors()):
            if factors is not None:
                shares = np.multiply(shares, factors, out=scratch.matrix("shares", *shares.shape))
        return shares

    def _counted(self, rows: Chosen, values: Matrix) -> Matrix:
        """Values, 0 in rows that are ignored."""
        if self._targets.ignored is None:
            return values
        ignored = self._targets.ignored[rows]
        return np.where(ignored if values.ndim == 1 else ignored[:, None], 0, values)

    @staticmethod
    def _place(gradients: Matrix, rows: Chosen, write: Callable[[Any, Matrix], None], slopes: Floats) -> None:
        """Gradients of a block go straight into the answer, those of single rows through a buffer."""
        if isinstance(rows, slice):
            write(slopes, gradients[rows])
            return
        buffer = np.empty((len(rows), gradients.shape[1]), gradients.dtype)
        write(slopes, buffer)
        gradients[rows] = buffer

    def _weigh(self, samples: Vector | None, classes: Vector | None) -> Weights:
        ignored = self._targets.ignored
        if ignored is not None:
            samples = np.where(ignored, 0, 1 if samples is None else samples).astype(self.dtype)
        of_rows: Vector | None = None if samples is None else samples.astype(np.float64)
        if classes is not None:
            of_classes = self._class_weight_of_rows(classes)
            of_rows = of_classes if of_rows is None else of_rows * of_classes
        return Weights(samples, classes, of_rows)

    def _class_weight_of_rows(self, classes: Vector) -> Vector:
        """Σ_c w_c t_c of every row, float64."""
        weights = classes.astype(np.float64)
        if not self._options.label_smoothing and self._targets.distributions is None:
            return weights[self._targets.indices]
        mean = np.empty(self.shape[0])

        def look(rows: Rows) -> None:
            mean[rows] = row_sums(self._truth(rows) * weights)

        blocks.run(self.shape, look)
        return mean
