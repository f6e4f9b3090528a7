"""Two softmaxes compared by the differences of their logits, accurate however near or far they lie.

With w = b − a, log(q/p) = w − log E_p[e^w] and KL(p‖q) = log E_p[e^w] − E_p[w]. Centred, h = w − E_p[w], this is
log1p E_p[e^h − 1 − h]: a sum of terms ≥ 0, each as good as h is, so that nothing is left of the rounding of the
probabilities when they are nearly equal. All is float64, and every difference carries what rounding took from it.
Where one side masks a class (a logit of −∞), w is looked at on the classes that both know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
from lossmeter.engine.numerics import exp_minus, rounded_off, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.outcome import Outcome

STEEP = 4.0
"""From here on e^w carries the sum, and p e^w is taken from q's logit alone: p may be too small to be told from 0."""


def relative_entropy(a: Matrix, p: Matrix, b: Matrix, q: Matrix) -> Vector:
    """KL(p‖q) ≥ 0 of every row, nats; infinite where q masks a class to which p gives anything.

    Args:
        a: ``Float64[rows, classes]`` logits, rows that softmax can read.
        p: softmax of a.
        b: the other logits.
        q: softmax of b.

    Bound: 8; exactly 0 where b − a is the same for every class.
    """
    steps = _Steps.between(a, p, b, a)
    excess = steps.log_mean_exponential()
    return np.where((steps.only_p > 0).any(axis=1), np.inf, excess - _log_kept(steps.only_q(a, q), q))


def log_ratio(a: Matrix, p: Outcome, b: Matrix, q: Outcome) -> Matrix:
    """log(q/p) of every class: −∞ and ∞ where one of them masks it, 0 where both do.

    Bound: 8 of the largest of its row, or of 1.
    """
    steps = _Steps.between(a, p.p, b, a + b)
    only_q = steps.only_q(a, q.p)
    share = _log_kept(only_q, q.p) - _log_kept(steps.only_p, p.p)
    far = (p.log_p - q.log_p)[steps.at]
    near = steps.log_expectation() - share
    steps = steps.lowered(np.where(np.abs(far) < 0.5, near, far))  # noqa: PLR2004  beyond, the logarithms hardly cancel
    # That was right to the rounding of the reference; now E_p[q/p] is what it must be, where it is about 1.
    amiss = steps.log_expectation() - share
    steps = steps.lowered(np.where(np.isfinite(amiss) & (np.abs(share) < 0.5), amiss, 0))  # noqa: PLR2004
    alone = np.where(steps.only_p > 0, -np.inf, np.where(only_q > 0, np.inf, 0))
    return np.where(steps.shared, steps.w, alone)


def _log_kept(dropped: Matrix, p: Matrix) -> Vector:
    """The logarithm of what is left of each row of p without the classes that were dropped; exactly 0 without any."""
    gone, kept = row_sums(dropped), row_sums(p - dropped)
    return np.where(gone < 0.5, np.log1p(-gone), np.log(kept))  # noqa: PLR2004  from one half on the rest is the smaller


@dataclass(frozen=True, slots=True)
class _Steps:
    """From a to b, class by class, both measured from a class of reference that they share.

    Attributes:
        at: where that class is.
        shared: the classes that both know.
        only_p: p of those that b masks, 0 elsewhere.
        p: p of those that both know, as rows that sum to 1.
        y: b less the reference; ``y_low`` is what rounding took from it.
        w: b − a, less the same of the reference; ``w_low`` likewise.
    """

    at: tuple[Indices, Indices]
    shared: Mask
    only_p: Matrix
    p: Matrix
    y: Matrix
    y_low: Matrix
    w: Matrix
    w_low: Matrix

    @classmethod
    def between(cls, a: Matrix, p: Matrix, b: Matrix, height: Matrix) -> _Steps:
        """The reference is the shared class at which ``height`` is the largest."""
        shared = (a > -np.inf) & (b > -np.inf)
        only_p = np.where(b == -np.inf, p, 0)
        kept = p - only_p
        whole = row_sums(kept)
        at = np.arange(len(a)), np.argmax(np.where(shared, height, -np.inf), axis=1)
        x, x_low = _less(np.where(shared, a, a[at][:, None]), a[at])
        y, y_low = _less(np.where(shared, b, b[at][:, None]), b[at])
        p = kept if not only_p.any() else kept / np.where(whole > 0, whole, 1)[:, None]
        return cls(at, shared, only_p, p, y, y_low, *_less(y, x, y_low - x_low))

    def only_q(self, a: Matrix, q: Matrix) -> Matrix:
        """The q of the classes that a masks, 0 elsewhere."""
        return np.where(a == -np.inf, q, 0)

    def log_expectation(self) -> Vector:
        """The logarithm of E_p[e^w], where that is about 1."""
        small = self.p * (np.expm1(self.w) + self.w_low * np.exp(self.w))
        terms = np.where(self.w > STEEP, self.weights() - self.p, small)
        return np.log1p(row_sums(np.where(self.shared, terms, 0)))

    def log_mean_exponential(self) -> Vector:
        """The logarithm of E_p[e^h] ≥ 0 with h = w − E_p[w]."""
        steps = self.lowered(row_sums(self.p * self.w))
        steps = steps.lowered(row_sums(steps.p * (steps.w + steps.w_low)))
        h = steps.w
        small = steps.p * (exp_minus(h) + steps.w_low * np.expm1(h))
        terms = np.where(h > STEEP, steps.weights() - steps.p * (1 + h), small)
        excess = row_sums(np.where(steps.shared, terms, 0))
        return np.where(np.isfinite(excess), np.log1p(np.maximum(excess, 0)), steps.far())

    def lowered(self, by: Vector) -> _Steps:
        """The same from a higher level: w and y less a number per row."""
        (y, y_low), (w, w_low) = _less(self.y, by, self.y_low), _less(self.w, by, self.w_low)
        return replace(self, y=y, y_low=y_low, w=w, w_low=w_low)

    def weights(self) -> Matrix:
        """The weights p e^w, from y alone."""
        return np.exp(self.y) * (1 + self.y_low) * self.p[self.at][:, None]

    def far(self) -> Vector:
        """The logarithm of E_p[e^w] where e^w overflows."""
        y = np.where(self.shared, self.y, -np.inf)
        top = np.max(y, axis=1)
        return top + np.log(row_sums(np.exp(y - top[:, None])) * self.p[self.at])


def _less(minuend: Matrix, subtrahend: Floats, low: Floats | float = 0.0) -> tuple[Matrix, Matrix]:
    """The difference, and what rounding took from it, to which ``low`` is added; the latter stays the smaller part."""
    subtrahend = subtrahend if subtrahend.ndim == minuend.ndim else subtrahend[:, None]
    difference = minuend - subtrahend
    lost = rounded_off(minuend, subtrahend, difference) + low
    whole = difference + lost
    return whole, rounded_off(difference, -lost, whole)
