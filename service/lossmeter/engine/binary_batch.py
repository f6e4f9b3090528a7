"""Scoring of labels that are each true or not: the binary losses, elementwise over ``Float[n, labels]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.batch import Batch, Output, Weights, clipped, flat_where
from lossmeter.engine.divergence_terms import entropy, gap, pointwise, relative_entropy
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Mask, Matrix, Vector
    from lossmeter.engine.binary_predictions import BinaryPredictions
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import BinaryLoss
    from lossmeter.engine.options import Options


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
        self.weights = Weights(sample_weights, class_weights, np.empty(0))
        of_rows = row_sums(self._element_weights(slice(None)).astype(np.float64))
        self.weights = Weights(sample_weights, class_weights, of_rows)

    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """One block, label by label."""
        with np.errstate(all="ignore"):
            yes, no = self._predictions.outcomes(rows)
            truth = self._truth(rows)
            (yes, yes_low), (no, no_low) = (
                clipped(yes, self._options.epsilon),
                clipped(no, self._options.epsilon),
            )
            loss = self._loss.of_outcome
            (yes_value, yes_slope), (no_value, no_slope) = loss.phi(yes), loss.phi(no)
            yes_weight, no_weight = self._outcome_weights(rows, truth)
            values = finite_product(yes_weight, yes_value) + finite_product(no_weight, no_value)
            output.losses[rows] = row_sums(values) + 0.0
            if output.gradients is not None:
                slopes = self._predictions.slopes(loss, rows, (yes, yes_slope), (no, no_slope))
                yes_part = finite_product(yes_weight, flat_where(yes_low, slopes[0]))
                no_part = finite_product(no_weight, flat_where(no_low, slopes[1]))
                output.gradients[rows] = (yes_part + no_part) * self.dtype.type(scale) + 0.0
            self._explain(rows, truth, (yes, no), output)

    def by_class(self, weighted: Vector, output: Output) -> Vector:
        """On ``Float[n]`` a row's share falls on truth 0 and truth 1; otherwise on its labels as their KL has it."""
        truth = self._truth(slice(None))
        if self._targets.single:
            return np.array([weighted @ (1 - truth[:, 0]), weighted @ truth[:, 0]])
        with np.errstate(all="ignore"):
            labels = self._label_divergence(slice(None), truth)
            share = labels / row_sums(labels)[:, None]
            parts = finite_product(np.asarray(weighted)[:, None], np.where(labels > 0, share, 0))
        return np.add.reduce(parts, axis=0)

    def _explain(self, rows: Rows, truth: Matrix, outcomes: tuple[Outcome, Outcome], output: Output) -> None:
        """KL, contributions and probabilities."""
        if output.kl_divergence is not None and output.target_entropy is not None:
            output.kl_divergence[rows] = self._counted(rows, row_sums(_divergences(truth, *outcomes)))
            both = np.stack([truth, 1 - truth], axis=-1).reshape(-1, 2)
            entropies = entropy(both, np.log(both)).reshape(truth.shape)
            output.target_entropy[rows] = self._counted(rows, row_sums(entropies))
        if output.contributions is not None:
            yes, no = outcomes
            difference = gap(truth, yes.p, yes.not_p)
            parts = pointwise(truth, np.log(truth), yes.p, yes.log_p, difference) + pointwise(
                1 - truth, np.log(1 - truth), no.p, no.log_p, -difference
            )
            output.contributions[rows] = self._counted(rows, parts) + 0.0
        if output.probabilities is not None:
            output.probabilities[rows] = self._counted(rows, self._predictions.outcomes(rows)[0].p)

    def _label_divergence(self, rows: Rows, truth: Matrix) -> Matrix:
        yes, no = self._predictions.outcomes(rows)
        epsilon = self._options.epsilon
        return _divergences(truth, clipped(yes, epsilon)[0], clipped(no, epsilon)[0])

    def _truth(self, rows: Rows) -> Matrix:
        """Targets, smoothed towards one half."""
        truth = self._targets.values[rows].astype(self.dtype)
        smoothing = self._options.label_smoothing
        return truth * (1 - smoothing) + smoothing / 2 if smoothing else truth

    def _element_weights(self, rows: Rows) -> Matrix:
        """v times the class weight of each label's truth."""
        truth = self._truth(rows)
        samples = np.broadcast_to(np.asarray(self.weights.samples(rows), self.dtype), (len(truth),))[:, None]
        classes = self.weights.of_classes
        if classes is None:
            return np.broadcast_to(samples, truth.shape)
        return samples * (
            (classes[0] * (1 - truth) + classes[1] * truth) if self._targets.single else classes[None, :]
        )

    def _outcome_weights(self, rows: Rows, truth: Matrix) -> tuple[Matrix, Matrix]:
        """What φ of a yes and φ of a no are multiplied by."""
        samples = np.broadcast_to(np.asarray(self.weights.samples(rows), self.dtype), (len(truth),))[:, None]
        factors = (np.asarray(each, self.dtype) for each in self._loss.outcome_factors())
        yes_factor, no_factor = factors
        classes = self.weights.of_classes
        if classes is not None and self._targets.single:
            yes_factor, no_factor = yes_factor * classes[1], no_factor * classes[0]
        elif classes is not None:
            yes_factor, no_factor = yes_factor * classes, no_factor * classes
        return samples * (truth * yes_factor), samples * ((1 - truth) * no_factor)

    def _counted(self, rows: Rows, values: Floats) -> Floats:
        """Values, 0 in rows that are ignored."""
        if self._targets.ignored is None:
            return values
        ignored = self._targets.ignored[rows]
        return np.where(ignored if values.ndim == 1 else ignored[:, None], 0, values)


def _divergences(truth: Matrix, yes: Outcome, no: Outcome) -> Matrix:
    """KL of each label's truth from its prediction, as two classes."""
    shape = (-1, 2)
    difference = gap(truth, yes.p, yes.not_p)
    truths = np.stack([truth, 1 - truth], axis=-1).reshape(shape)
    p = np.stack([yes.p, no.p], axis=-1).reshape(shape)
    log_p = np.stack([yes.log_p, no.log_p], axis=-1).reshape(shape)
    differences = np.stack([difference, -difference], axis=-1).reshape(shape)
    return relative_entropy(truths, np.log(truths), p, log_p, differences).reshape(truth.shape)
