"""Which class is predicted, and whether the truth is among the k most probable.

Both are a matter of the values as sent: where two probabilities are so near that rounding may have made them equal or
swapped them, the values themselves are looked at; ties go to the class of the lower index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector
from lossmeter.engine.numerics import LONG_ROW

NEAR = {np.dtype(np.float32): 2.0**-16, np.dtype(np.float64): 2.0**-40}
"""Probabilities nearer than this (relative) may stand for values in another order."""

FEW = 256
"""So many classes can be counted in a byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows.

    Attributes:
        p: ``Float64[rows, classes]``, their probabilities.
        sent: gives the values as sent of some of them, ``Float[some, classes]``, in which larger is more probable.
        near: below which relative distance those decide.
    """

    p: Matrix
    sent: Callable[[Indices | slice], Matrix]
    near: float

    def predicted(self, known: tuple[Indices, Mask] | None = None) -> Indices:
        """The class with the largest value, the first of equals; ``Int[rows]``.

        Args:
            known: classes, and where they are sure to be it.
        """
        classes = self.p.shape[1]
        if classes >= LONG_ROW:
            return self._largest(known)
        best = np.max(self.p, axis=1) * (1 - self.near)
        candidates = (self.p >= best[:, None]).view(np.uint8)
        found: Indices = np.add.reduce(
            candidates * np.arange(classes, dtype=np.uint8), axis=1, dtype=np.uint8
        )
        found = found.astype(np.intp)
        unsure = np.flatnonzero(np.add.reduce(candidates, axis=1, dtype=np.uint8) != 1)
        if unsure.size:
            found[unsure] = np.argmax(self.sent(unsure), axis=1)
        return found

    def _largest(self, known: tuple[Indices, Mask] | None) -> Indices:
        """The same of long rows, from the values as sent."""
        if known is not None:
            found, unsure = known[0].copy(), np.flatnonzero(~known[1])
            if 2 * len(unsure) < len(found):
                found[unsure] = np.argmax(self.sent(unsure), axis=1)
                return found
        return np.argmax(self.sent(slice(None)), axis=1)

    def among(self, targets: Indices, p_target: Vector, k: int, room: float) -> Mask:
        """Whether fewer than k classes come before the target; ``Bool[rows]``.

        Args:
            targets: ``Int[rows]``.
            p_target: ``Float64[rows]``, its probability.
            k: how many count.
            room: what a row of probabilities sums to at most.
        """
        hit = p_target * (k + 1) > room  # k others above it would sum to more
        if k >= self.p.shape[1]:
            hit[:] = True
        unsure = np.flatnonzero(~hit)
        for sign in (1, -1):  # those surely above it, then those that may be, itself among them
            if not unsure.size:
                return hit
            above = self._at_least(unsure, p_target[unsure] * (1 + sign * self.near))
            decided = above >= k if sign > 0 else above <= k
            hit[unsure[decided]] = sign < 0
            unsure = unsure[~decided]
        if unsure.size:
            hit[unsure] = _rank(self.sent(unsure), targets[unsure]) < k
        return hit

    def _at_least(self, rows: Indices, bound: Vector) -> Indices:
        """How many classes of each row have at least this probability, those of the second kind above 0."""
        most = 2 * len(rows) > len(self.p)
        if most:  # all rows are faster than a copy of some
            whole = np.full(len(self.p), np.inf)
            whole[rows] = bound
            return _count(self.p >= whole[:, None])[rows]
        return _count(self.p[rows] >= bound[:, None])


def _count(mask: Mask) -> Indices:
    """How many are true in each row."""
    if mask.shape[1] < FEW:
        return np.add.reduce(mask.view(np.uint8), axis=1, dtype=np.uint8)
    return np.count_nonzero(mask, axis=1)


def _rank(sent: Matrix, targets: Indices) -> Indices:
    """How many classes come before the target."""
    own = sent[np.arange(len(sent)), targets][:, None]
    before = np.arange(sent.shape[1]) < targets[:, None]
    return np.count_nonzero((sent > own) | ((sent == own) & before), axis=1)


def bins_of(confidence: Vector, bins: int) -> Indices:
    """The bin of each confidence: k where k/bins < confidence ≤ (k+1)/bins as doubles, 0 for 0; ``Int[rows]``."""
    position = confidence * bins
    nearest = np.rint(position)
    found = np.ceil(position)
    edge = np.flatnonzero(np.abs(position - nearest) < 1e-9)  # noqa: PLR2004  far above the rounding of a product
    if edge.size:
        found[edge] = nearest[edge] + (confidence[edge] > nearest[edge] / bins)
    return np.clip(found, 1, bins).astype(np.intp) - 1
