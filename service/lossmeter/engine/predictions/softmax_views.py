"""What softmax shows of a block of rows, and how slopes become gradients with respect to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import Indices, Matrix, Vector
from lossmeter.engine.numerics import LONG_ROW, row_sums
from lossmeter.engine.predictions.base import AllClasses, AtTargets
from lossmeter.engine.predictions.zero_sums import close_rows, exact_row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss
    from lossmeter.engine.outcome import Outcome


SAFE = 2.0**-60
"""A factor above this, times a float32 mass, is as far from underflow as the product itself."""


def narrowed(factor: Floats, dtype: np.dtype[Any]) -> Floats:
    """The factor in the dtype of what it multiplies, unless that brings it near underflow."""
    if dtype == np.float32 and not ((np.abs(factor) > 0) & (np.abs(factor) < SAFE)).any():
        return factor.astype(np.float32)
    return factor


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
        """∂/∂x_j = s_t (δ_jt − p_j)/T; at the target minus the sum of what is written for the others."""
        factor: Floats = (0.0 - slopes / (self._whole * self._temperature))[:, None]
        size = slopes * self.outcome.not_p / self._temperature
        factor = narrowed(factor, self._masses.dtype)
        if self._masses.shape[1] >= LONG_ROW and out.flags.c_contiguous:
            close_rows(np.multiply(self._masses, factor, out=out), self._places, size)
            return
        written = np.multiply(self._masses, factor, out=self._masses).astype(out.dtype, copy=False)
        close_rows(written, self._places, size)
        np.copyto(out, written)

    def masses(self) -> tuple[Matrix, Vector | None]:
        """Exponentials, and their sum."""
        return self._masses, self._whole

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
        """∂/∂x_j = (s_j − p_j Σ s)/T = (s_j (1−p_j) − p_j Σ_{c≠j} s_c)/T, rows that sum to 0.

        What rounding leaves over is shared out as p is, by as little, for every class, as p itself is rounded; the last
        of it falls on the class whose terms are the largest, for which Σ_{c≠j} s_c may have cancelled.
        """
        working = scratch.matrix("slopes", *slopes.shape)
        np.copyto(working, slopes)
        slopes, p = working, self.outcome.p
        reach = np.abs(slopes)
        reach += p * row_sums(reach)[:, None]
        heaviest = scratch.places(np.argmax(reach, axis=1), p.shape[1])
        gradients = np.subtract(row_sums(slopes)[:, None], slopes, out=reach)
        gradients *= p
        np.subtract(np.multiply(slopes, self.outcome.not_p, out=slopes), gradients, out=gradients)
        gradients -= np.multiply(p, row_sums(gradients)[:, None], out=slopes)
        if self._temperature != 1:
            gradients /= self._temperature
        written = gradients.astype(out.dtype, copy=False)
        close_rows(written, heaviest)
        np.add(written, 0.0, out=out)


@dataclass(frozen=True, slots=True, eq=False)
class SharedLogits:
    """The cross-entropy of rows whose truth is shared among classes.

    Attributes:
        masses: ``Float[rows, classes]``, e^x in scratch memory.
        shared: ``Float64[rows]``, Σt.
        of_mass: ``Float64[rows]``, Σt over the sum of the masses.
        values: ``Float64[rows]``, Σ_c t_c (−log p_c).
        far: rows of which all that is not exact, and which are to be seen in another way.
    """

    masses: Matrix
    shared: Vector
    of_mass: Vector
    values: Vector
    far: Indices

    def gradients(self, shares: Matrix, factor: Floats, out: Matrix) -> None:
        """``factor`` · (p_j Σt − t_j), rows that sum to 0; the rounding goes where ``AllLogits.gradients`` says."""
        dtype = self.masses.dtype
        p = np.multiply(self.masses, self.of_mass.astype(dtype, copy=False)[:, None], out=self.masses)
        written = np.add(p, shares, out=scratch.matrix("written", len(p), p.shape[1], dtype))
        heaviest = scratch.places(np.argmax(written, axis=1), p.shape[1])
        np.subtract(p, shares, out=written)
        left = exact_row_sums(written) if dtype == np.float32 else row_sums(written)
        left = (left / np.where(self.shared > 0, self.shared, 1)).astype(dtype, copy=False)
        np.subtract(written, np.multiply(p, left[:, None], out=p), out=written)
        in_place = written.shape[1] >= LONG_ROW and out.flags.c_contiguous
        answer = np.multiply(written, narrowed(factor, dtype), out=out if in_place else written)
        answer = answer.astype(out.dtype, copy=False)
        np.add(answer, 0.0, out=answer)  # no -0.0
        close_rows(answer, heaviest)
        if not in_place:
            np.copyto(out, answer)
