"""Scoring of labels that are each true or not: the binary losses, elementwise over ``Float[n, labels]``.

Plain binary cross-entropy of logits goes through ``binary_kernel``; everything else is written once for any φ, in
float64 and in pieces of a block: the outcome that the truth leans to, and where the truth is soft the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.batch import Batch, Output, Weights, weighed
from lossmeter.engine.binary_divergence import entropies
from lossmeter.engine.binary_kernel import Leaning
from lossmeter.engine.binary_predictions import BinaryLogits
from lossmeter.engine.binary_view import View
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.engine.arrays import Floats, Matrix, Vector
    from lossmeter.engine.binary_predictions import BinaryPredictions
    from lossmeter.engine.binary_targets import BinaryTargets
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import BinaryLoss
    from lossmeter.engine.options import Options
    from lossmeter.errors import InvalidInputError

PIECE = 1 << 13
"""So many numbers of a block are worked on at a time where every step makes an array of its own."""


class BinaryBatch(Batch):
    """Rows of ``Float[n, labels]`` against targets of the same shape."""

    matrices = 5

    def __init__(  # noqa: PLR0913  the parts of one batch
        self,
        predictions: BinaryPredictions,
        targets: BinaryTargets,
        loss: BinaryLoss,
        options: Options,
        *,
        sample_weights: Vector | None,
        class_weights: Vector | None,
    ) -> None:
        super().__init__(predictions.values, targets.ignored)
        self._predictions, self._targets, self._loss, self._options = predictions, targets, loss, options
        sample_weights = self.silenced(sample_weights)
        with np.errstate(over="ignore"):
            self._yes_weight, self._no_weight = self._outcome_weights(class_weights)
            of_rows = self._weight_of_labels(class_weights)
            if sample_weights is not None:
                of_rows = of_rows * sample_weights.astype(np.float64)
        self.weights = Weights(sample_weights, class_weights, of_rows)
        self._weightless = bool((self._yes_weight == 1).all())
        self._plain = (
            isinstance(predictions, BinaryLogits)
            and loss.of_outcome.linear
            and (options.epsilon, options.temperature) == (0, 1)
            and np.array_equal(self._yes_weight, self._no_weight)
        )

    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """One block, label by label."""
        if self._plain:
            self._score_plain(rows, scale, output)
        if not self._plain or {"kl", "contributions", "probabilities"}.intersection(self._options.include):
            for piece in self.pieces(rows):
                view = self.view(piece, self._options.label_smoothing)
                if not self._plain:
                    self._score_view(piece, view, scale, output)
                self._explain(piece, view, output)
        if output.watcher is not None:
            output.watcher.see_rows(rows, output.losses)

    def by_class(self, weighted: Vector) -> Vector:
        """On ``Float[n]`` a row's share falls on truth 0 and truth 1; otherwise on its labels as their KL has it."""
        shares = np.zeros(2 if self._targets.single else self.shape[1])
        for piece in self.pieces(slice(0, self.shape[0])):
            shares += np.add.reduce(finite_product(self._shares(piece), weighted[piece][:, None]), axis=0)
        return shares

    def _score_plain(self, rows: Rows, scale: float, output: Output) -> None:
        """Binary cross-entropy of logits whose weights do not depend on the truth."""
        logits = self._predictions.load(rows)
        block = Leaning(logits, self._targets, rows, self._options.label_smoothing)
        if not (block.calm or self._predictions.valid(logits).all()):
            raise self._refusal()
        samples, labels = self.weights.samples(rows), self._yes_weight
        unweighted = self._weightless and samples is None
        losses = block.losses()
        summed = block.sums(losses if self._weightless else finite_product(labels.astype(self.dtype), losses))
        output.losses[rows] = weighed(samples, summed)
        if output.gradients is None:
            return
        factor: Floats = np.asarray(scale)
        if not unweighted:
            factor = scale * labels * (1 if samples is None else samples.astype(np.float64)[:, None])
        gradients = output.gradients[rows]
        np.multiply(block.slopes(), factor.astype(self.dtype), out=gradients)
        if not (block.hard and block.calm and unweighted):  # else no −0.0 can arise
            np.add(gradients, 0.0, out=gradients)

    def _score_view(self, rows: Rows, view: View, scale: float, output: Output) -> None:
        """Any φ: that of the outcomes that the truth leans to, and of the others where they have a share."""
        wanted = output.gradients is not None
        values, slopes = view.scored(
            self._loss.of_outcome, self._yes_weight, self._no_weight, gradients=wanted
        )
        output.losses[rows] = weighed(self.weights.samples(rows), row_sums(values)) + 0.0
        if output.gradients is not None and slopes is not None:
            gradients = output.gradients[rows]
            gradients[...] = weighed(self.weights.samples(rows, columns=True), slopes) * scale
            np.add(gradients, 0.0, out=gradients)  # float32 may have rounded to −0.0

    def _explain(self, rows: Rows, view: View, output: Output) -> None:
        """KL, contributions and probabilities."""
        if output.kl_divergence is not None and output.target_entropy is not None:
            output.kl_divergence[rows] = self.counted(rows, row_sums(view.divergences()))
            output.target_entropy[rows] = self.counted(rows, row_sums(entropies(view.minor))) + 0.0
        if output.contributions is not None:
            output.contributions[rows] = self.counted(rows, view.contributions()) + 0.0
        if output.probabilities is not None:
            output.probabilities[rows] = self.counted(rows, view.probabilities()) + 0.0

    def _shares(self, rows: Rows) -> Matrix:
        """How each row falls on the classes of ``by_class``; rows that cost nothing need not."""
        view = self.view(rows, self._options.label_smoothing)
        if self._targets.single:
            return np.where(view.true ^ np.array([True, False]), 1 - view.minor, view.minor)
        by_label = view.divergences()
        shares = np.where(by_label > 0, by_label / row_sums(by_label)[:, None], 0)
        shares[by_label == np.inf] = 1
        return shares

    @property
    def single(self) -> bool:
        """Whether one number per row was sent."""
        return self._targets.single

    def view(self, rows: Rows, smoothing: float) -> View:
        """Some rows; their truth is as smooth as asked for.

        Raises:
            InvalidInputError: they hold what cannot be scored.
        """
        true, minor = self._targets.shares(rows, smoothing)
        sent = self._predictions.load(rows)
        if not self._predictions.valid(sent).all():
            raise self._refusal()
        sent = np.ascontiguousarray(sent, dtype=np.float64)
        return View(self._predictions, self._options.epsilon, sent, true, minor)

    def _refusal(self) -> InvalidInputError:
        """What is wrong: with the targets, or else with the predictions, wherever it was found first."""
        self._targets.check()
        return self._predictions.refusal(single=self._targets.single)

    def pieces(self, rows: Rows) -> Iterator[Rows]:
        """The block in pieces that every step may make arrays of."""
        step = max(1, PIECE // self.shape[1])
        return (slice(start, min(start + step, rows.stop)) for start in range(rows.start, rows.stop, step))

    def _weight_of_labels(self, classes: Vector | None) -> Vector:
        """Σ over its labels of what a row weighs before its sample weight, float64."""
        n = self.shape[0]
        if classes is None:
            return np.broadcast_to(np.float64(self.shape[1]), n)
        weights = classes.astype(np.float64)
        if not self._targets.single:
            return np.broadcast_to(np.add.reduce(weights), n)
        of_rows = np.empty(n)
        for rows in blocks.cut(self.shape):
            true, minor = (each[:, 0] for each in self._targets.shares(rows, self._options.label_smoothing))
            nearer, other = np.where(true, weights[1], weights[0]), np.where(true, weights[0], weights[1])
            of_rows[rows] = nearer * (1 - minor) + other * minor
        return of_rows

    def _outcome_weights(self, classes: Vector | None) -> tuple[Vector, Vector]:
        """What φ of a yes and φ of a no are multiplied by before the sample weight, float64."""
        yes, no = (np.atleast_1d(np.asarray(each, np.float64)) for each in self._loss.outcome_factors())
        if classes is None:
            return yes, no
        of_no, of_yes = classes if self._targets.single else (classes, classes)
        return yes * np.asarray(of_yes, np.float64), no * np.asarray(of_no, np.float64)
