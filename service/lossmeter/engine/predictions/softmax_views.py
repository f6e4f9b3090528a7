"""What softmax shows of a block of rows, and how slopes become gradients with respect to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import Indices, Matrix, Vector
from lossmeter.engine.numerics import LONG_ROW, row_sums
from lossmeter.engine.predictions.base import AllClasses, AtTargets

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss
    from lossmeter.engine.outcome import Outcome


class TargetLogits(AtTargets):
    """The masses of every class but the target, which is held apart."""

    def __init__(
        self, masses: Matrix, places: Indices, outcome: Outcome, whole: Vector, temperature: float
    ) -> None:
        self._masses, self._places, self._whole, self._temperature = masses, places, whole, temperature
        self.outcome = outcome

    def slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Vector) -> Vector:  # noqa: ARG002  by log p is what is wanted
        """By log p."""
        return slopes

    def gradients(self, slopes: Vector, out: Matrix) -> None:
        """∂/∂x_j = s_t (δ_jt − p_j)/T; at the target 1 − p_t is the sum of the others."""
        factor = (0.0 - slopes / (self._whole * self._temperature))[:, None]
        long = self._masses.shape[1] >= LONG_ROW and out.flags.c_contiguous
        written = np.multiply(self._masses, factor, out=out if long else self._masses)
        scratch.flat(written)[self._places] = slopes * self.outcome.not_p / self._temperature + 0.0
        if not long:
            np.copyto(out, written)

    def probabilities(self) -> Matrix:
        """Softmax."""
        p = np.divide(self._masses, self._whole[:, None], out=self._masses)
        scratch.flat(p)[self._places] = self.outcome.p
        return p


class AllLogits(AllClasses):
    """Softmax of every class."""

    def __init__(self, outcome: Outcome, temperature: float) -> None:
        self.outcome, self._temperature = outcome, temperature

    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:  # noqa: ARG002  by log p is what is wanted
        """By log p."""
        return slopes

    def divergence_slopes(
        self,
        loss: DivergenceLoss,
        targets: Matrix,  # noqa: ARG002  the slopes hold them already
        outcome: Outcome,
        slopes: Matrix,
    ) -> Matrix:
        """By log p. What they are short of, softmax does not see, unless clipped probabilities no longer sum to 1."""
        return slopes if outcome is self.outcome else slopes + loss.free_slope * outcome.p

    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        """∂/∂x_j = (s_j − p_j Σ s)/T = (s_j (1−p_j) − p_j Σ_{c≠j} s_c)/T, which sum to 0.

        Where p_j is nearly 1 the slopes elsewhere are lost in that difference: it gets minus the sum of the others.
        """
        elsewhere = row_sums(slopes)[:, None] - slopes
        written = slopes * self.outcome.not_p - self.outcome.p * elsewhere
        likely = np.nonzero(self.outcome.p > 0.5)  # noqa: PLR2004  one half: at most one class of a row
        written[likely] = 0
        written[likely] = -row_sums(written)[likely[0]]
        np.add(written / self._temperature, 0.0, out=out)  # no -0.0


@dataclass(frozen=True, slots=True, eq=False)
class SharedLogits:
    """The cross-entropy of rows whose truth is shared among classes.

    Attributes:
        masses: ``Float64[rows, classes]``, e^x in scratch memory.
        places: where the best class of each row lies in it.
        of_mass: ``Float64[rows]``, Σt over the sum of the masses.
        values: ``Float64[rows]``, Σ_c t_c (−log p_c).
        far: rows of which all that is not exact, and which are to be seen in another way.
    """

    masses: Matrix
    places: Indices
    of_mass: Vector
    values: Vector
    far: Indices

    def gradients(self, shares: Matrix, factor: Floats, out: Matrix) -> None:
        """Factor · (p_j Σt − t_j); at the best class minus the sum of the others, where p and t may nearly agree."""
        written = np.multiply(self.masses, self.of_mass[:, None], out=self.masses)
        np.subtract(written, shares, out=written)
        flat = scratch.flat(written)
        flat[self.places] = 0
        flat[self.places] = 0.0 - row_sums(written)
        if written.shape[1] >= LONG_ROW:
            np.multiply(written, factor, out=out)
            np.add(out, 0.0, out=out)  # no -0.0
        else:
            np.multiply(written, factor, out=written)
            np.add(written, 0.0, out=written)
            np.copyto(out, written)
