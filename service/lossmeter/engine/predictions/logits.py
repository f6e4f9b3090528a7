"""Logits: unnormalised scores, read through softmax without ever losing the small end.

With one class k held apart everything hangs on two sums, its mass e^{x_k} and the others Σ_{j≠k} e^{x_j}: for ratio =
others/mass, −log p_k = log1p(ratio) and 1 − p_k = others/(others + mass). Nothing is subtracted, so they keep their
digits when the ratio is 1e-300. As long as no exponential leaves the comfortable range nothing need be subtracted from
the logits either, and the rounding of x_j − max x, which grows with the gap, does not arise; rows beyond that range,
and all rows under a temperature, are measured from their best class with that rounding put back.

float32 logits are exponentiated in float64: their answers are the correctly rounded ones but for a rare last digit.
Only long rows of float32 that are wanted at their target alone, by a loss that is −log p itself, are exponentiated as
they are: NumPy's float32 exponential is off by 3.6 units at most, which such a loss does not multiply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import offenders
from lossmeter.engine.numerics import LONG_ROW, product_rounded_off, rounded_off, row_sums
from lossmeter.engine.outcome import Outcome, RatioOutcome
from lossmeter.engine.predictions.base import AllClasses, AtTargets, Chosen, Predictions
from lossmeter.engine.predictions.softmax_views import AllLogits, SharedLogits, TargetLogits
from lossmeter.engine.predictions.zero_sums import exact_row_sums
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector

COMFORT = {np.dtype(np.float32): 2.0**-60, np.dtype(np.float64): 2.0**-500}
"""Sums of exponentials between this and its inverse have lost nothing to underflow and have a finite ratio."""

SMALL = 2.0**-10
"""Where the larger sum is above this, an exponential that underflows stands for a probability that does, too."""


class Apart(NamedTuple):
    """Rows of exponentials with one class of each held apart.

    Attributes:
        masses: ``Float[rows, classes]`` in scratch memory, 0 at the class held apart.
        places: where that class lies in the memory of ``masses``.
        mass: ``Float64[rows]``, its exponential.
        others: ``Float64[rows]``, the sum of the rest.
        comfortable: ``Bool[rows]``, whether all that is as exact as it can be.
    """

    masses: Matrix
    places: Indices
    mass: Vector
    others: Vector
    comfortable: Mask


@dataclass(frozen=True, slots=True)
class Logits(Predictions):
    """Logits x; p = softmax(x/T).

    Attributes:
        temperature: T > 0.
        swift: whether float32 exponentials will do at the targets.
    """

    name: str = "logits"

    temperature: float = 1.0
    swift: bool = False

    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """Softmax at the targets. Bounds: log p, p, 1−p and gradients 8."""
        apart = self._apart(rows, targets, swift=self.swift)
        outcome = self._seen_at(rows, targets, apart)
        return TargetLogits(apart.masses, apart.places, outcome, apart.others + apart.mass, self.temperature)

    def all_classes(self, rows: Chosen) -> AllClasses:
        """Softmax at every class. Bounds: log p, p and 1−p 8."""
        best = self._best(rows)
        apart = self._apart(rows, best)
        log_best = self._seen_at(rows, best, apart).log_p
        block = self.load(rows, 0.0)
        top = scratch.flat(block).take(apart.places)
        log_p = np.subtract(block, top[:, None], out=block)
        if self.temperature != 1:
            np.divide(log_p, self.temperature, out=log_p)
        np.add(log_p, log_best[:, None], out=log_p)
        whole = apart.others + apart.mass
        p = np.divide(apart.masses, whole[:, None], out=apart.masses)
        scratch.flat(p)[apart.places] = apart.mass / whole
        not_p = np.subtract(1, p, out=scratch.matrix(f"not_p of {self.name}", *p.shape))
        scratch.flat(not_p)[apart.places] = apart.others / whole
        return AllLogits(Outcome(log_p, p, not_p), self.temperature)

    def cross_entropy(self, rows: Chosen, shares: Matrix) -> SharedLogits | None:
        """Σ_c t_c (−log p_c) as Σ_c t_c (x_k − x_c) + Σ_c t_c · log1p(others/mass), k the best: nothing cancels."""
        if self.temperature != 1:
            return None
        best = self._best(rows)
        apart = self._apart(rows, best, swift=shares.dtype == np.float32)
        sent = self.values[rows]
        if sent.dtype == shares.dtype and sent.shape[1] >= LONG_ROW and self.ignored is None:
            block, top = sent, sent[np.arange(len(best)), best]
        else:
            block = self.load(rows, 0.0)
            top = scratch.flat(block).take(apart.places)
        distance = scratch.matrix("distance", len(block), block.shape[1], apart.masses.dtype)
        np.multiply(np.subtract(top[:, None], block, out=distance), shares, out=distance)
        shared = row_sums(shares).astype(np.float64, copy=False)
        values = row_sums(distance) + shared * np.log1p(apart.others / apart.mass)
        scratch.flat(apart.masses)[apart.places] = apart.mass
        far = np.flatnonzero(~(apart.comfortable & (values < np.inf)))
        return SharedLogits(apart.masses, shared, shared / (apart.others + apart.mass), values, far)

    def excluded(self, rows: Chosen) -> Mask:
        """Logits of −∞."""
        return self.values[rows] == -np.inf

    def refusal(self) -> InvalidInputError:
        """NaN and +∞ are no logits, and a row needs a class that is not masked."""
        bad = self.looked_at(np.isnan(self.values) | (self.values == np.inf))
        if bad.any():
            detail = "a finite number or -Infinity (a masked class) is wanted"
            return offenders(bad, self.values, self.name, detail=detail)
        masked = self.looked_at((self.values == -np.inf).all(axis=1))
        if masked.any():
            detail = "every class of this row is masked by -Infinity"
            return offenders(masked, self.values, self.name, detail=detail)
        detail = "too small: a logit divided by it overflows"
        return InvalidInputError.at("temperature", detail=detail, value=self.temperature)

    def _best(self, rows: Chosen) -> Indices:
        """The class with the largest logit of each row."""
        best: Indices = np.argmax(self.values[rows], axis=1)
        return best

    def _seen_at(self, rows: Chosen, classes: Indices, apart: Apart) -> RatioOutcome:
        """The outcome of the classes held apart; rows out of comfort are replaced in ``apart``."""
        log_p = -np.log1p(apart.others / apart.mass)
        far = np.flatnonzero(~apart.comfortable)
        if far.size:
            self._measure_from_the_best(rows, far, classes[far], apart, log_p)
        return RatioOutcome(log_p, apart.mass, apart.others)

    def _apart(self, rows: Chosen, classes: Indices, *, swift: bool = False) -> Apart:
        """e^x of the rows, with the given class of each held apart."""
        sent = self.values[rows]
        swift = swift and sent.dtype == np.float32 and sent.shape[1] >= LONG_ROW
        masses = scratch.matrix(
            f"masses of {self.name}", len(sent), sent.shape[1], np.float32 if swift else np.float64
        )
        if sent.shape[1] >= LONG_ROW:
            np.exp(sent, out=masses, dtype=masses.dtype)
        else:  # across the memory order a plain copy is faster than any arithmetic
            np.copyto(masses, sent)
            np.exp(masses, out=masses)
        if self.ignored is not None:
            masses[self.ignored[rows]] = 1
        places = scratch.places(classes, sent.shape[1])
        flat = scratch.flat(masses)
        mass = self._exact_mass(sent, rows, classes) if swift else flat.take(places)
        flat[places] = 0
        others = row_sums(masses).astype(np.float64, copy=False)
        return Apart(masses, places, mass, others, self._comfortable(mass, others, masses.dtype))

    def _comfortable(self, mass: Vector, others: Vector, dtype: np.dtype[Any]) -> Mask:
        """Which rows have lost nothing to the range of exponentials of this dtype."""
        low = COMFORT[dtype]
        largest = np.maximum(mass, others)
        inside = (np.minimum(mass, others) > low) & (largest > SMALL) & (largest < 1 / low)
        return inside if self.temperature == 1 else np.zeros_like(inside)

    def _exact_mass(self, sent: Matrix, rows: Chosen, classes: Indices) -> Vector:
        """e^x of one class of each row in float64, where its neighbours are exponentiated in float32."""
        mass = np.exp(sent[np.arange(len(classes)), classes], dtype=np.float64)
        return mass if self.ignored is None else np.where(self.ignored[rows], 1, mass)

    def _measure_from_the_best(
        self, rows: Chosen, far: Indices, classes: Indices, apart: Apart, log_p: Vector
    ) -> None:
        """Replace the far rows of ``apart`` and of log p of the class held apart, measured from their best."""
        sent = self.values[rows][far].astype(np.float64)
        if self.ignored is not None:
            sent[self.ignored[rows][far]] = 0
        at = np.arange(len(far)), classes
        top = np.max(sent, axis=1)
        below = (sent[at] - top) / self.temperature
        masses = exact_masses(sent, top, self.temperature)
        if not (np.isfinite(top).all() and np.isfinite(masses).all()):
            raise self.refusal()
        mass = masses[at]
        masses[at] = 0
        others = exact_row_sums(masses)
        # Where the class is the best, mass − 1 is exactly 0 and the sum keeps the digits of ``others``.
        log_p[far] = below - np.log1p(others + (mass - 1))
        apart.masses[far], apart.mass[far], apart.others[far] = masses, mass, others


def exact_masses(sent: Matrix, top: Vector, temperature: float) -> Matrix:
    """e^{(x_j − max x)/T}, with what rounding took from the exponents put back.

    Args:
        sent: ``Float64[rows, classes]``.
        top: ``Float64[rows]``, the largest logits.
        temperature: T.

    Bound: 3, at any distance from the best class.
    """
    below = sent - top[:, None]
    lost = rounded_off(sent, top[:, None], below)
    if temperature != 1:
        divided = below / temperature
        product = divided * temperature
        remainder = (below - product) - product_rounded_off(divided, temperature, product)
        below, lost = divided, (remainder + lost) / temperature
    masses = np.exp(below)
    return np.where(masses > 0, masses + masses * np.where(np.isfinite(lost), lost, 0), 0)
