"""What a model said about labels that are each true or not: logits, probabilities or log-probabilities of "true"."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from lossmeter.engine.arrays import Mask, Matrix, offenders
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.predictions.log_probabilities import outcome_of_log_probabilities

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import TargetLoss

Sloped: TypeAlias = "tuple[Outcome, Floats]"
"""An outcome and the slope of φ there by its log-probability."""


@dataclass(frozen=True, slots=True)
class BinaryPredictions(ABC):
    """A batch as sent.

    Attributes:
        values: ``Float[n, labels]``.
        ignored: ``Bool[n]``, rows that are not looked at; None where there are none.
        temperature: what logits are divided by.
    """

    name: ClassVar[str]
    wanted: ClassVar[str]

    values: Matrix
    ignored: Mask | None = None
    temperature: float = 1.0

    @abstractmethod
    def valid(self, values: Matrix) -> Mask:
        """Which numbers can be scored."""

    @abstractmethod
    def outcomes(self, rows: Rows) -> tuple[Outcome, Outcome]:
        """What "true" and "false" got, matrices ``Float[rows, labels]``."""

    @abstractmethod
    def slopes(self, loss: TargetLoss, rows: Rows, yes: Sloped, no: Sloped) -> tuple[Floats, Floats]:
        """The slopes of φ(yes) and of φ(no) by the number as sent."""

    def _load(self, rows: Rows, harmless: float) -> Matrix:
        """A block of rows, those ignored made harmless.

        Raises:
            InvalidInputError: what is no such number, wherever it stands in the batch.
        """
        block = np.ascontiguousarray(self.values[rows])  # strides change the last bits of NumPy's functions
        if self.ignored is not None:
            block = np.where(self.ignored[rows][:, None], harmless, block)
        if not self.valid(block).all():
            bad = ~self.valid(self.values)
            bad = bad if self.ignored is None else bad & ~self.ignored[:, None]
            raise offenders(bad, self.values, self.name, detail=f"{self.wanted} is wanted")
        return block


class BinaryLogits(BinaryPredictions):
    """z with p = 1/(1+e^{−z/T}). Bounds: 8 for log p, p and 1 − p of either outcome."""

    name: ClassVar[str] = "logits"
    wanted: ClassVar[str] = "a finite number or -Infinity (never true)"

    def valid(self, values: Matrix) -> Mask:
        """Anything but NaN and +∞."""
        return values < np.inf

    def outcomes(self, rows: Rows) -> tuple[Outcome, Outcome]:
        """The sigmoid and its complement, from e^−|z|."""
        z = self._load(rows, 0.0)
        z = z if self.temperature == 1 else z / self.temperature
        magnitude = np.abs(z)
        mass = np.exp(-magnitude)
        log_whole = np.log1p(mass)
        likely = Outcome(-log_whole, 1 / (1 + mass), mass / (1 + mass))
        log_unlikely = -magnitude - log_whole
        positive = z >= 0
        yes = Outcome(
            np.where(positive, likely.log_p, log_unlikely),
            np.where(positive, likely.p, likely.not_p),
            np.where(positive, likely.not_p, likely.p),
        )
        return yes, Outcome(np.where(positive, log_unlikely, likely.log_p), yes.not_p, yes.p)

    def slopes(self, loss: TargetLoss, rows: Rows, yes: Sloped, no: Sloped) -> tuple[Floats, Floats]:  # noqa: ARG002  by log p
        """D log p/dz = (1−p)/T, d log(1−p)/dz = −p/T, of the unclipped p."""
        p = self.outcomes(rows)[0]
        return yes[1] * p.not_p / self.temperature, -no[1] * p.p / self.temperature


class BinaryProbabilities(BinaryPredictions):
    """p as sent."""

    name: ClassVar[str] = "probabilities"
    wanted: ClassVar[str] = "a probability in [0, 1]"

    def valid(self, values: Matrix) -> Mask:
        """[0, 1]."""
        return (values >= 0) & (values <= 1)

    def outcomes(self, rows: Rows) -> tuple[Outcome, Outcome]:
        """P and 1 − p."""
        p = self._load(rows, 0.5)
        return Outcome(np.log(p), p, 1 - p), Outcome(np.log1p(-p), 1 - p, p)

    def slopes(self, loss: TargetLoss, rows: Rows, yes: Sloped, no: Sloped) -> tuple[Floats, Floats]:  # noqa: ARG002  by p
        """dφ/dp and −dφ/d(1−p)."""
        return loss.slopes_by_probability(*yes), -loss.slopes_by_probability(*no)


class BinaryLogProbabilities(BinaryPredictions):
    """log p as sent, nats."""

    name: ClassVar[str] = "log_probabilities"
    wanted: ClassVar[str] = "a natural logarithm of a probability, at most 0,"

    def valid(self, values: Matrix) -> Mask:
        """At most 0."""
        return values <= 0

    def outcomes(self, rows: Rows) -> tuple[Outcome, Outcome]:
        """P and 1 − p, and log(1 − p) as Mächler computes log(1 − e^x)."""
        yes = outcome_of_log_probabilities(self._load(rows, -math.log(2)))
        likely = yes.log_p > -math.log(2)
        log_no = np.where(likely, np.log(yes.not_p), np.log1p(-yes.p))
        return yes, Outcome(log_no, yes.not_p, yes.p)

    def slopes(self, loss: TargetLoss, rows: Rows, yes: Sloped, no: Sloped) -> tuple[Floats, Floats]:  # noqa: ARG002  by log p
        """D log(1−p)/d log p = −p/(1−p)."""
        return yes[1], -no[1] * (no[0].not_p / no[0].p)
