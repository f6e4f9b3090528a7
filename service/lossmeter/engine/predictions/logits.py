"""Logits: unnormalised scores, read through softmax without ever losing the small end.

Everything hangs on rest = Σ e^{x_j − x_k} over the classes other than the best one, k: log p_k = −log1p(rest) and
1 − p_k = rest/(1+rest) keep their digits when rest is 1e-300, where 1 + rest is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import offenders
from lossmeter.engine.numerics import product_rounded_off, rounded_off, row_sums
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.predictions.base import AllClasses, AtTargets, Chosen, Predictions
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss

SURE = 3e-4
"""e⁻⁸: where rest is below this times the number of classes, its terms lie more than 8 below the best logit, and
the rounding of x_j − x_k would show in it."""


@dataclass(frozen=True, slots=True)
class Logits(Predictions):
    """Logits x; p = softmax(x/T).

    Attributes:
        temperature: T > 0.
    """

    name: str = "logits"

    temperature: float = 1.0

    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """Softmax at the targets; bounds: log p, 1−p and gradients 8, p 8 + |x_t − max x|."""
        block, top = self._below_top(rows)
        at = np.arange(len(targets)), targets
        below = block[at]
        np.exp(block, out=block)
        mass = block[at]
        block[at] = 0
        others = row_sums(block)
        self._sharpen(rows, top, others, below == 0)
        return _TargetLogits(block, at, others, mass, below, self.temperature)

    def all_classes(self, rows: Chosen) -> AllClasses:
        """Softmax at every class; bounds: log p 8, 1−p 8, p 8 + |x_j − max x|."""
        block, top = self._below_top(rows)
        best = block == 0
        masses = np.exp(block)
        rest = row_sums(np.where(best, 0, masses)) + (np.count_nonzero(best, axis=1) - 1).astype(block.dtype)
        self._sharpen(rows, top, rest, np.ones(len(rest), dtype=bool))
        whole = (1 + rest)[:, None]
        p = masses / whole
        not_p = np.where(best, (rest[:, None] / whole), 1 - p)
        return _AllLogits(Outcome(block - np.log1p(rest)[:, None], p, not_p), self.temperature)

    def excluded(self, rows: Chosen) -> Mask:
        """Logits of −∞."""
        return self.load(rows, 0.0) == -np.inf

    def refusal(self) -> InvalidInputError:
        """NaN and +∞ are no logits, and a row needs a class that is not masked."""
        bad = self.looked_at(np.isnan(self.values) | (self.values == np.inf))
        if bad.any():
            return offenders(
                bad, self.values, self.name, detail="a finite number or -Infinity (a masked class) is wanted"
            )
        masked = self.looked_at((self.values == -np.inf).all(axis=1))
        if masked.any():
            return offenders(
                masked, self.values, self.name, detail="every class of this row is masked by -Infinity"
            )
        return InvalidInputError.at(
            "temperature", detail="too small: a logit divided by it overflows", value=self.temperature
        )

    def _below_top(self, rows: Chosen) -> tuple[Matrix, Vector]:
        """(x − max x)/T ≤ 0, and max x."""
        block = self.load(rows, 0.0)
        top = np.max(block, axis=1)
        if not np.isfinite(top).all():
            raise self.refusal()
        np.subtract(block, top[:, None], out=block)
        if self.temperature != 1:
            np.divide(block, self.temperature, out=block)
        return block, top

    def _sharpen(self, rows: Chosen, top: Vector, rest: Vector, candidates: Mask) -> None:
        """Replace ``rest`` of the rows whose model is sure by the sum in which no difference was rounded."""
        sure = np.flatnonzero(candidates & (rest < SURE * self.values.shape[1]))
        if sure.size:
            chosen = sure + (rows.start or 0) if isinstance(rows, slice) else rows[sure]
            sent = self.values[chosen].astype(np.float64)
            if self.ignored is not None:
                sent[self.ignored[chosen]] = 0
            rest[sure] = exact_rest(sent, top[sure].astype(np.float64), self.temperature)


def exact_rest(sent: Matrix, top: Vector, temperature: float) -> Vector:
    """Σ e^{(x_j − x_k)/T} over the classes other than the best, k, what rounding took from the exponents put back.

    Args:
        sent: ``Float64[rows, classes]``; overwritten at the best class of each row.
        top: ``Float64[rows]``, the largest logits.
        temperature: T.

    Bound: 4, at any distance from the best class.
    """
    best = np.argmax(sent, axis=1)
    below = sent - top[:, None]
    lost = rounded_off(sent, top[:, None], below)
    if temperature != 1:
        divided = below / temperature
        product = divided * temperature
        remainder = (below - product) - product_rounded_off(divided, temperature, product)
        below, lost = divided, (remainder + lost) / temperature
    masses = np.exp(below)
    masses = np.where(masses > 0, masses + masses * lost, 0)
    masses[np.arange(len(best)), best] = 0
    return row_sums(masses)


class _TargetLogits(AtTargets):
    """e^{x_j − max} of every class but the target, which is held apart."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of one softmax
        self,
        masses: Matrix,
        at: tuple[Indices, Indices],
        others: Vector,
        mass: Vector,
        below: Vector,
        temperature: float,
    ) -> None:
        self._masses, self._at, self._others, self._temperature = masses, at, others, temperature
        self._whole = others + mass
        # Where the target is the best class, mass − 1 is exactly 0 and the sum keeps the digits of ``others``.
        self.outcome = Outcome(
            below - np.log1p(others + (mass - 1)), mass / self._whole, others / self._whole
        )

    def slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Vector) -> Vector:  # noqa: ARG002  by log p is what is wanted
        return slopes

    def gradients(self, slopes: Vector, out: Matrix) -> None:
        """∂/∂x_j = s_t (δ_jt − p_j)/T; at the target 1 − p_t is the sum of the others."""
        factor = 0.0 - slopes / (self._whole * self._temperature)
        np.multiply(self._masses, factor[:, None], out=out)
        out[self._at] = 0.0 - self._others * factor

    def probabilities(self) -> Matrix:
        p = self._masses / self._whole[:, None]
        p[self._at] = self.outcome.p
        return p


class _AllLogits(AllClasses):
    """Softmax of every class."""

    def __init__(self, outcome: Outcome, temperature: float) -> None:
        self.outcome, self._temperature = outcome, temperature

    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:  # noqa: ARG002  by log p is what is wanted
        return slopes

    def divergence_slopes(
        self,
        loss: DivergenceLoss,
        targets: Matrix,  # noqa: ARG002
        outcome: Outcome,
        slopes: Matrix,
    ) -> Matrix:
        # What the slopes are short of, softmax does not see; clipped probabilities no longer sum to 1, and do.
        return slopes if outcome is self.outcome else slopes + loss.free_slope * outcome.p

    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        """∂/∂x_j = (s_j − p_j Σ s)/T = (s_j (1−p_j) − p_j Σ_{c≠j} s_c)/T."""
        elsewhere = row_sums(slopes)[:, None] - slopes
        np.subtract(slopes * self.outcome.not_p, self.outcome.p * elsewhere, out=out)
        if self._temperature != 1:
            np.divide(out, self._temperature, out=out)
