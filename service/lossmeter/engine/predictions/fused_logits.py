"""Logits, worked on by compiled loops that pass over a block once where NumPy passes over it many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import Indices
from lossmeter.engine.fused import kernels
from lossmeter.engine.numerics import LONG_ROW
from lossmeter.engine.predictions.logits import Apart, Logits
from lossmeter.engine.predictions.softmax_views import SharedLogits, TargetLogits

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Matrix, Vector
    from lossmeter.engine.predictions.base import AtTargets, Chosen


@dataclass(frozen=True, slots=True)
class FusedLogits(Logits):
    """Logits as ``Logits`` has them, by the same algebra."""

    by_row: ClassVar[bool] = True

    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """Softmax at the targets."""
        apart = self._apart_in_one_pass(rows, targets, swift=self.swift)
        outcome = self._seen_at(rows, targets, apart)
        return FusedTargets(apart.masses, apart.places, outcome, apart.others + apart.mass, self.temperature)

    def cross_entropy(self, rows: Chosen, shares: Matrix) -> SharedLogits | None:
        """Σ_c t_c (−log p_c)."""
        if self.temperature != 1:
            return None
        best, truth = self._best(rows), np.ascontiguousarray(shares)
        apart = self._apart_in_one_pass(rows, best, swift=shares.dtype == np.float32)
        distance, shared = np.empty(len(best)), np.empty(len(best))
        _loops().weigh_distances(self._rows_as_sent(rows), truth, best, distance, shared)
        values = distance + shared * np.log1p(apart.others / apart.mass)
        scratch.flat(apart.masses)[apart.places] = apart.mass
        far = np.flatnonzero(~(apart.comfortable & (values < np.inf)))
        of_mass = shared / (apart.others + apart.mass)
        return FusedShared(apart.masses, shared, of_mass, values, far, best)

    def _apart_in_one_pass(self, rows: Chosen, classes: Indices, *, swift: bool) -> Apart:
        """e^x of the rows, with the given class of each held apart."""
        sent = self._rows_as_sent(rows)
        swift = swift and sent.dtype == np.float32
        dtype = np.dtype(np.float32 if swift else np.float64)
        masses = scratch.rows("masses", len(sent), sent.shape[1], dtype)
        mass, others = np.empty(len(sent)), np.empty(len(sent))
        hold_apart = _loops().hold_apart32 if swift else _loops().hold_apart
        hold_apart(sent, classes, masses, mass, others)
        places = np.arange(0, masses.size, sent.shape[1]) + classes
        return Apart(masses, places, mass, others, self._comfortable(mass, others, masses.dtype))

    def _best(self, rows: Chosen) -> Indices:
        """The class with the largest logit of each row."""
        sent = self._rows_as_sent(rows)
        if sent.shape[1] >= LONG_ROW:
            return np.argmax(sent, axis=1)
        best = np.empty(len(sent), np.intp)
        _loops().find_best(sent, best)
        return best

    def _rows_as_sent(self, rows: Chosen) -> Matrix:
        """The rows, one after the other in memory; those that are ignored hold zeros."""
        if self.ignored is None:
            return np.ascontiguousarray(self.values[rows])
        sent = np.array(self.values[rows], order="C")
        sent[self.ignored[rows]] = 0
        return sent


class FusedTargets(TargetLogits):
    """The masses of every class but the target."""

    def gradients(self, slopes: Vector, out: Matrix) -> None:
        """∂/∂x_j = s_t (δ_jt − p_j)/T; at the target minus the sum of what is written for the others."""
        factor = 0.0 - slopes / (self._whole * self._temperature)
        size = np.abs(slopes * self.outcome.not_p / self._temperature)
        classes = self._places % self._masses.shape[1]
        _loops().write_closed(self._masses, factor, size, classes, out)


@dataclass(frozen=True, slots=True, eq=False)
class FusedShared(SharedLogits):
    """The cross-entropy of rows whose truth is shared among classes.

    Attributes:
        best: ``Int[rows]``, the class with the largest logit.
    """

    best: Indices

    def gradients(self, shares: Matrix, factor: Floats, out: Matrix) -> None:
        """``factor`` · (p_j Σt − t_j), rows that sum to 0."""
        each, truth = np.arange(len(self.best)), np.ascontiguousarray(shares)
        main = np.argmax(truth, axis=1)
        p_best, p_main = (self.masses[each, at] * self.of_mass for at in (self.best, main))
        heaviest = np.where(p_best + truth[each, self.best] >= p_main + truth[each, main], self.best, main)
        scale = np.ascontiguousarray(np.broadcast_to(factor.reshape(-1), len(each)), np.float64)
        _loops().write_shared(self.masses, truth, self.of_mass, self.shared, heaviest, scale, out)


def _loops() -> Any:  # noqa: ANN401  compiled functions have no signature that mypy knows
    return kernels()
