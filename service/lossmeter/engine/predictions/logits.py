"""Logits: unnormalised scores, read through softmax without ever losing the small end.

At the target t everything hangs on two sums, the mass e^{x_t} and the others Σ_{j≠t} e^{x_j}: with ratio =
others/mass, −log p_t = log1p(ratio) and 1 − p_t = others/(others + mass). Nothing is subtracted, so they keep their
digits when the ratio is 1e-300. As long as no exponential leaves the comfortable range of its dtype nothing need be
subtracted from the logits either, and the rounding of x_j − max x, which grows with the gap, does not arise; rows
beyond that range are measured from their best class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import offenders
from lossmeter.engine.numerics import LONG_ROW, product_rounded_off, rounded_off, row_sums
from lossmeter.engine.outcome import Outcome, RatioOutcome
from lossmeter.engine.predictions.base import AllClasses, AtTargets, Chosen, Predictions
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss

COMFORT = {np.dtype(np.float32): 2.0**-60, np.dtype(np.float64): 2.0**-500}
"""Sums of exponentials between this and its inverse have lost nothing to underflow and have a finite ratio."""

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
        """Softmax at the targets. Bounds: log p, p, 1−p and gradients 8."""
        block = self._exponentials(rows)
        places = scratch.places(targets, block.shape[1])
        flat = scratch.flat(block)
        mass = flat.take(places)
        flat[places] = 0
        others = row_sums(block)
        low = COMFORT[block.dtype]
        comfortable = (np.minimum(mass, others) > low) & (np.maximum(mass, others) < 1 / low)
        if self.temperature == 1 and comfortable.all():
            outcome = RatioOutcome(-np.log1p(others / mass), mass, others)
            return _TargetLogits(block, places, outcome, others + mass, 1.0)
        return self._from_the_best(rows, targets, block, places, mass, others, comfortable)

    def all_classes(self, rows: Chosen) -> AllClasses:
        """Softmax at every class. Bounds: log p 8, 1−p 8, p 8 + |x_j − max x|."""
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

    def _exponentials(self, rows: Chosen) -> Matrix:
        """e^x of the rows, in scratch memory; 1 in rows that are ignored."""
        sent = self.values[rows]
        block = scratch.matrix("masses", len(sent), sent.shape[1], sent.dtype)
        if sent.shape[1] >= LONG_ROW:
            np.exp(sent, out=block)
        else:  # across the memory order a plain copy is faster than any arithmetic
            np.copyto(block, sent)
            np.exp(block, out=block)
        if self.ignored is not None:
            block[self.ignored[rows]] = 1
        return block

    def _from_the_best(  # noqa: PLR0913, PLR0917  what the comfortable rows already have
        self,
        rows: Chosen,
        targets: Indices,
        block: Matrix,
        places: Indices,
        mass: Vector,
        others: Vector,
        comfortable: Mask,
    ) -> AtTargets:
        """The same, with rows that are not comfortable (or all, with a temperature) measured from their best."""
        far = np.arange(len(targets)) if self.temperature != 1 else np.flatnonzero(~comfortable)
        chosen = far + rows.start if isinstance(rows, slice) else rows[far]
        shifted, top = self._below_top(chosen)
        at = np.arange(len(far)), targets[far]
        below = shifted[at]
        np.exp(shifted, out=shifted)
        shifted_mass = shifted[at]
        shifted[at] = 0
        rest = row_sums(shifted)
        self._sharpen(chosen, top, rest, below == 0)
        log_p = -np.log1p(others / mass)
        # Where the target is the best class, mass − 1 is exactly 0 and the sum keeps the digits of ``rest``.
        log_p[far] = below - np.log1p(rest + (shifted_mass - 1))
        block[far], mass[far], others[far] = shifted, shifted_mass, rest
        return _TargetLogits(
            block, places, RatioOutcome(log_p, mass, others), others + mass, self.temperature
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
            chosen = sure + rows.start if isinstance(rows, slice) else rows[sure]
            sent = self.values[chosen].astype(np.float64)
            if self.ignored is not None:
                sent[self.ignored[chosen]] = 0
            rest[sure] = exact_rest(sent, top[sure].astype(np.float64), self.temperature)


def exact_rest(sent: Matrix, top: Vector, temperature: float) -> Vector:
    """Σ e^{(x_j − x_k)/T} over the classes other than the best, k, what rounding took from the exponents put back.

    Args:
        sent: ``Float64[rows, classes]``.
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
        p = self._masses / self._whole[:, None]
        scratch.flat(p)[self._places] = self.outcome.p
        return p


class _AllLogits(AllClasses):
    """Softmax of every class."""

    def __init__(self, outcome: Outcome, temperature: float) -> None:
        self.outcome, self._temperature = outcome, temperature

    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:  # noqa: ARG002  by log p is what is wanted
        """By log p."""
        return slopes

    def divergence_slopes(
        self,
        loss: DivergenceLoss,
        targets: Matrix,  # noqa: ARG002
        outcome: Outcome,
        slopes: Matrix,
    ) -> Matrix:
        """By log p."""
        # What the slopes are short of, softmax does not see; clipped probabilities no longer sum to 1, and do.
        return slopes if outcome is self.outcome else slopes + loss.free_slope * outcome.p

    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        """∂/∂x_j = (s_j − p_j Σ s)/T = (s_j (1−p_j) − p_j Σ_{c≠j} s_c)/T."""
        elsewhere = row_sums(slopes)[:, None] - slopes
        np.subtract(slopes * self.outcome.not_p, self.outcome.p * elsewhere, out=out)
        if self._temperature != 1:
            np.divide(out, self._temperature, out=out)
