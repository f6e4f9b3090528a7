"""Scoring of labels that are each true or not: the binary losses, elementwise over ``Float[n, labels]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import Mask, Matrix
from lossmeter.engine.batch import Batch, Output, Weights, clipped, flat_where, weighed
from lossmeter.engine.divergence_terms import entropy, gap, pointwise, relative_entropy
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Vector
    from lossmeter.engine.binary_predictions import BinaryPredictions
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import BinaryLoss
    from lossmeter.engine.options import Options
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, slots=True)
class BinaryTargets:
    """The truth of every label.

    Attributes:
        values: ``Float[n, labels]`` in [0, 1].
        ignored: ``Bool[n]``; None where no row is.
        single: whether one number per row was sent, so that the classes are "0" and "1" and not labels.
    """

    values: Matrix
    ignored: Mask | None
    single: bool

    def counts(self) -> Vector:
        """How many examples each class has: those of truth 0 and truth 1, or those in which each label is true."""
        counted = self.values if self.ignored is None else self.values[~self.ignored]
        true = np.add.reduce(counted, axis=0, dtype=np.float64)
        return np.array([len(counted) - true[0], true[0]]) if self.single else true


class BinaryBatch(Batch):
    """Rows of ``Float[n, labels]`` against targets of the same shape."""

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
        self.shape = predictions.values.shape
        self.dtype = predictions.values.dtype
        self._predictions, self._targets, self._loss, self._options = predictions, targets, loss, options
        ignored = targets.ignored
        self.count = self.shape[0] - (0 if ignored is None else int(np.count_nonzero(ignored)))
        if ignored is not None:
            sample_weights = np.where(ignored, 0, 1 if sample_weights is None else sample_weights).astype(
                self.dtype
            )
        of_rows = np.ones(self.shape[0]) if sample_weights is None else sample_weights.astype(np.float64)
        with np.errstate(over="ignore"):
            of_rows = of_rows * self._weight_of_labels(class_weights)
        self.weights = Weights(sample_weights, class_weights, of_rows)

    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """One block, label by label."""
        yes, no = self._predictions.outcomes(rows)
        truth = self._truth(rows)
        (yes, yes_low), (no, no_low) = (
            clipped(yes, self._options.epsilon),
            clipped(no, self._options.epsilon),
        )
        loss = self._loss.of_outcome
        yes_weight, no_weight = self._outcome_weights(rows, truth)
        values = finite_product(yes_weight, loss.phi(yes)) + finite_product(no_weight, loss.phi(no))
        output.losses[rows] = row_sums(values) + 0.0
        if output.gradients is not None:
            slopes = self._predictions.slopes(loss, rows, (yes, loss.slope(yes)), (no, loss.slope(no)))
            yes_part = finite_product(yes_weight, flat_where(yes_low, slopes[0]))
            no_part = finite_product(no_weight, flat_where(no_low, slopes[1]))
            output.gradients[rows] = (yes_part + no_part) * self.dtype.type(scale) + 0.0
        self._explain(rows, truth, (yes, no), output)

    def by_class(self, weighted: Vector) -> Vector:
        """On ``Float[n]`` a row's share falls on truth 0 and truth 1; otherwise on its labels as their KL has it."""
        if self._targets.single:
            truth = self._truth(slice(None))[:, 0]
            return np.array([np.add.reduce(finite_product(share, weighted)) for share in (1 - truth, truth)])
        shares = np.zeros(self.shape[1])
        for rows in blocks.cut(self.shape):
            labels = self._label_divergence(rows)
            share = np.where(labels > 0, labels / row_sums(labels)[:, None], 0)
            share[labels == np.inf] = 1
            shares += np.add.reduce(finite_product(share, weighted[rows][:, None]), axis=0)
        return shares

    def _explain(self, rows: Rows, truth: Matrix, outcomes: tuple[Outcome, Outcome], output: Output) -> None:
        """KL, contributions and probabilities."""
        if output.kl_divergence is not None and output.target_entropy is not None:
            output.kl_divergence[rows] = self._counted(rows, row_sums(_divergences(truth, *outcomes)))
            both = np.stack([truth, 1 - truth], axis=-1).reshape(-1, 2)
            entropies = entropy(both, np.log(both)).reshape(truth.shape)
            output.target_entropy[rows] = self._counted(rows, row_sums(entropies))
        if output.contributions is not None:
            yes, no = outcomes
            yes_gap, no_gap = _gaps(truth, yes, no)
            parts = pointwise(truth, np.log(truth), yes.p, yes.log_p, yes_gap) + pointwise(
                1 - truth, np.log(1 - truth), no.p, no.log_p, no_gap
            )
            output.contributions[rows] = self._counted(rows, parts) + 0.0
        if output.probabilities is not None:
            output.probabilities[rows] = self._counted(rows, self._predictions.outcomes(rows)[0].p) + 0.0

    def _label_divergence(self, rows: Rows) -> Matrix:
        truth = self._truth(rows)
        yes, no = self._predictions.outcomes(rows)
        epsilon = self._options.epsilon
        return _divergences(truth, clipped(yes, epsilon)[0], clipped(no, epsilon)[0])

    def _truth(self, rows: Rows) -> Matrix:
        """Targets, smoothed towards one half."""
        truth = self._targets.values[rows].astype(self.dtype)
        smoothing = self._options.label_smoothing
        return truth * (1 - smoothing) + smoothing / 2 if smoothing else truth

    def _weight_of_labels(self, classes: Vector | None) -> Vector | float:
        """Σ over its labels of what a row weighs before its sample weight, float64."""
        if classes is None:
            return float(self.shape[1])
        weights = classes.astype(np.float64)
        if not self._targets.single:
            return float(np.add.reduce(weights))
        truth = self._truth(slice(None))[:, 0].astype(np.float64)
        return weights[0] * (1 - truth) + weights[1] * truth

    def _outcome_weights(self, rows: Rows, truth: Matrix) -> tuple[Matrix, Matrix]:
        """What φ of a yes and φ of a no are multiplied by."""
        samples = self.weights.samples(rows, columns=True)
        factors = (np.asarray(each, self.dtype) for each in self._loss.outcome_factors())
        yes_factor, no_factor = factors
        classes = self.weights.of_classes
        if classes is not None and self._targets.single:
            yes_factor, no_factor = yes_factor * classes[1], no_factor * classes[0]
        elif classes is not None:
            yes_factor, no_factor = yes_factor * classes, no_factor * classes
        return weighed(samples, truth * yes_factor), weighed(samples, (1 - truth) * no_factor)

    def _counted(self, rows: Rows, values: Floats) -> Floats:
        """Values, 0 in rows that are ignored."""
        if self._targets.ignored is None:
            return values
        ignored = self._targets.ignored[rows]
        return np.where(ignored if values.ndim == 1 else ignored[:, None], 0, values)


def _divergences(truth: Matrix, yes: Outcome, no: Outcome) -> Matrix:
    """KL of each label's truth from its prediction, as two classes."""
    shape = (-1, 2)
    truths = np.stack([truth, 1 - truth], axis=-1).reshape(shape)
    p = np.stack([yes.p, no.p], axis=-1).reshape(shape)
    log_p = np.stack([yes.log_p, no.log_p], axis=-1).reshape(shape)
    differences = np.stack(_gaps(truth, yes, no), axis=-1).reshape(shape)
    return relative_entropy(truths, np.log(truths), p, log_p, differences).reshape(truth.shape)


def _gaps(truth: Matrix, yes: Outcome, no: Outcome) -> tuple[Matrix, Matrix]:
    """P − t of either outcome: of opposite sign, unless one of them was clipped."""
    difference = gap(truth, yes.p, yes.not_p)
    return difference, np.where(no.p == yes.not_p, -difference, gap(1 - truth, no.p, no.not_p))
