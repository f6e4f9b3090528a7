"""Log-probabilities: natural logarithms of probabilities, as log_softmax returns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import offenders
from lossmeter.engine.numerics import row_sums
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.predictions.base import AllClasses, AtTargets, Chosen, Predictions
from lossmeter.engine.predictions.probabilities import TargetAlone

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Indices, Mask, Matrix, Vector
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss
    from lossmeter.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class LogProbabilities(Predictions):
    """log p as sent, nats, rows whose logsumexp is 0 within ``tolerance``; −∞ is a class without probability."""

    name: str = "log_probabilities"

    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """The log p_t as sent."""
        return _TargetLogProbability(self._checked(rows), targets)

    def all_classes(self, rows: Chosen) -> AllClasses:
        """The log p as sent."""
        return _AllLogProbabilities(outcome_of_log_probabilities(self._checked(rows)))

    def excluded(self, rows: Chosen) -> Mask:
        """Log-probabilities of −∞."""
        return self.values[rows] == -np.inf

    def refusal(self) -> InvalidInputError:
        """NaN, a probability above 1, or a row that does not sum to 1."""
        outside = self.looked_at(~(self.values <= self.tolerance))
        if outside.any():
            return offenders(
                outside,
                self.values,
                self.name,
                detail="a natural logarithm of a probability, at most 0, is wanted",
            )
        with np.errstate(all="ignore"):
            sums = np.log(row_sums(np.exp(self.values)))
        unlike = self.looked_at(~self._near_zero(sums))
        first = float(sums[np.flatnonzero(unlike)[0]])
        detail = f"a row whose logsumexp is 0 within {self.tolerance:g} is wanted; that of the first is {first:.9g}"
        return offenders(unlike, self.values, self.name, detail=detail)

    def _checked(self, rows: Chosen) -> Matrix:
        block = self.load(rows, -np.log(self.values.shape[1]))
        sums = row_sums(np.exp(block))
        if not (np.max(block) <= self.tolerance and self._near_zero(np.log(sums)).all()):
            raise self.refusal()
        return np.minimum(block, 0, out=block)

    def _near_zero(self, log_sum_exp: Vector) -> Mask:
        rounding = self.values.shape[1] * np.finfo(self.values.dtype).eps
        return np.abs(log_sum_exp) <= self.tolerance + rounding


def outcome_of_log_probabilities(log_p: Floats) -> Outcome:
    """The outcome behind log p: exp and −expm1 of it, both accurate."""
    return Outcome(log_p, np.exp(log_p), -np.expm1(log_p))


class _TargetLogProbability(TargetAlone):
    def __init__(self, block: Matrix, targets: Indices) -> None:
        super().__init__(block, targets, outcome_of_log_probabilities)

    def slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Vector) -> Vector:  # noqa: ARG002  by log p is what is wanted
        return slopes

    def probabilities(self) -> Matrix:
        return np.exp(self._block)


class _AllLogProbabilities(AllClasses):
    """Every class, each moving alone."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:  # noqa: ARG002  by log p is what is wanted
        return slopes

    def divergence_slopes(
        self,
        loss: DivergenceLoss,
        targets: Matrix,  # noqa: ARG002  the slopes hold them already
        outcome: Outcome,
        slopes: Matrix,
    ) -> Matrix:
        return slopes + loss.free_slope * outcome.p

    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        np.add(slopes, 0.0, out=out)
