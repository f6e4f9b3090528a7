"""Probabilities: taken at their word, never renormalised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import offenders
from lossmeter.engine.numerics import row_sums
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.predictions.base import AllClasses, AtTargets, Chosen, Predictions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossmeter.engine.arrays import Floats, Indices, Mask, Matrix, Vector
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss
    from lossmeter.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Probabilities(Predictions):
    """p as sent, each in [0, 1], rows that sum to 1 within ``tolerance``."""

    name: str = "probabilities"

    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """p_t as sent."""
        return TargetAlone(self._checked(rows), targets, outcome_of_probabilities)

    def all_classes(self, rows: Chosen) -> AllClasses:
        """As sent."""
        return _AllProbabilities(outcome_of_probabilities(self._checked(rows)))

    def excluded(self, rows: Chosen) -> Mask:
        """Probabilities of exactly 0."""
        return self.values[rows] == 0

    def refusal(self) -> InvalidInputError:
        """A probability outside [0, 1], or a row that does not sum to 1."""
        outside = self.looked_at(~((self.values >= 0) & (self.values <= 1)))
        if outside.any():
            return offenders(outside, self.values, self.name, detail="a probability in [0, 1] is wanted")
        unlike = self.looked_at(~self._sums_to_one(self.values))
        sums = row_sums(self.values[np.flatnonzero(unlike)[:1]])
        detail = f"a row that sums to 1 within {self.tolerance:g} is wanted; the first sums to {float(sums[0]):.9g}"
        return offenders(unlike, self.values, self.name, detail=detail)

    def _checked(self, rows: Chosen) -> Matrix:
        block = self.load(rows, 1.0 / self.values.shape[1])
        if not (np.min(block) >= 0 and np.max(block) <= 1 and self._sums_to_one(block).all()):
            raise self.refusal()
        return block

    def _sums_to_one(self, block: Matrix) -> Mask:
        return (
            np.abs(row_sums(block) - 1) <= self.tolerance + block.shape[1] * np.finfo(self.values.dtype).eps
        )


def outcome_of_probabilities(p: Floats) -> Outcome:
    """The outcome of probabilities taken at their word: log p and 1 − p are correctly rounded but for a unit."""
    return Outcome(np.log(p), p, 1 - p)


class TargetAlone(AtTargets):
    """Rows of which the loss sees one element: the gradient is 0 everywhere else."""

    def __init__(self, block: Matrix, targets: Indices, outcome_of: Callable[[Floats], Outcome]) -> None:
        self._block = block
        self._at = np.arange(len(targets)), targets
        self.outcome = outcome_of(block[self._at])

    def slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Vector) -> Vector:
        """dφ/dp."""
        return loss.slopes_by_probability(outcome, slopes)

    def gradients(self, slopes: Vector, out: Matrix) -> None:
        """The slope at the target, 0 elsewhere."""
        out[...] = 0
        out[self._at] = slopes + 0.0

    def probabilities(self) -> Matrix:
        """As sent."""
        return self._block

    def masses(self) -> tuple[Matrix, Vector | None]:
        """The probabilities themselves."""
        return self.probabilities(), None


class _AllProbabilities(AllClasses):
    """Every class, each moving alone."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:
        return loss.slopes_by_probability(outcome, slopes)

    def divergence_slopes(
        self,
        loss: DivergenceLoss,
        targets: Matrix,
        outcome: Outcome,
        slopes: Matrix,  # noqa: ARG002  by p is what is wanted, not by log p
    ) -> Matrix:
        return loss.slopes_by_probability(targets, outcome)

    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        np.add(slopes, 0.0, out=out)
