"""A piece of a batch of labels, seen from its truth: what any binary loss and every explanation is made of, in float64.

Both outcomes of a label have a share in its truth: 1 − r the nearer one, r the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Mask, Matrix
from lossmeter.engine.batch import clipped, flat_where
from lossmeter.engine.binary_divergence import contributions, divergences
from lossmeter.engine.binary_predictions import BinaryPredictions
from lossmeter.engine.numerics import finite_product

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector
    from lossmeter.engine.losses import TargetLoss
    from lossmeter.engine.outcome import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Some rows, of ``Float64[rows, labels]``.

    Attributes:
        predictions: what reads the numbers.
        epsilon: the smallest probability that is believed.
        sent: the numbers as sent.
        true: which labels lean to true.
        minor: the minor shares of their truth.
    """

    predictions: BinaryPredictions
    epsilon: float
    sent: Matrix
    true: Mask
    minor: Matrix

    def scored(
        self, loss: TargetLoss, yes: Vector, no: Vector, *, gradients: bool
    ) -> tuple[Matrix, Matrix | None]:
        """Losses, weighted by ``yes`` and ``no``, and if wanted their slopes by the numbers as sent."""
        values, slopes = self._of_outcomes(loss, self.true, (1 - self.minor, yes, no), gradients=gradients)
        if not self.minor.any():
            return values, slopes
        more, steeper = self._of_outcomes(loss, ~self.true, (self.minor, yes, no), gradients=gradients)
        return values + more, slopes if slopes is None or steeper is None else slopes + steeper

    def divergences(self) -> Matrix:
        """KL of every label's truth from its prediction, nats."""
        return np.maximum(divergences(self.minor, *self._believed()), 0)

    def contributions(self) -> Matrix:
        """The same, and below 0 where clipping makes it so."""
        return contributions(self.minor, *self._believed())

    def probabilities(self) -> Matrix:
        """Of "true"."""
        return self.predictions.outcome(self.sent, np.ones(self.sent.shape, dtype=np.bool_)).p

    def _of_outcomes(
        self, loss: TargetLoss, true: Mask, weights: tuple[Matrix, Vector, Vector], *, gradients: bool
    ) -> tuple[Matrix, Matrix | None]:
        """What the outcomes named by ``true`` add, with their shares in the truth and the weights of either kind."""
        share, yes, no = weights
        outcome = self.predictions.outcome(self.sent, true)
        believed, low = clipped(outcome, self.epsilon)
        weight = share * np.where(true, yes, no)
        values = finite_product(weight, loss.phi(believed))
        if not gradients:
            return values, None
        slopes = flat_where(low, self.predictions.slopes(loss, true, outcome, believed))
        return values, finite_product(weight, slopes)

    def _believed(self) -> tuple[Outcome, Outcome]:
        """What the nearer and the other outcomes got, after clipping."""
        nearer = self.predictions.outcome(self.sent, self.true)
        other = self.predictions.outcome(self.sent, ~self.true)
        return clipped(nearer, self.epsilon)[0], clipped(other, self.epsilon)[0]
