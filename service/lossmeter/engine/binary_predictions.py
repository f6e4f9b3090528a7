"""What a model said about labels that are each true or not: logits, probabilities or log-probabilities of "true".

Everything here is float64, whatever was sent: a float32 then loses nothing on its way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.arrays import Mask, Matrix, offenders
from lossmeter.engine.numerics import product_rounded_off
from lossmeter.engine.outcome import Outcome
from lossmeter.engine.predictions.log_probabilities import outcome_of_log_probabilities

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import TargetLoss
    from lossmeter.errors import InvalidInputError

FAR = 600.0
"""From here on log(1 + e^u) is u, and e^u is not far from overflow."""


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
    harmless: ClassVar[float]

    values: Matrix
    ignored: Mask | None = None
    temperature: float = 1.0

    @abstractmethod
    def valid(self, values: Matrix) -> Mask:
        """Which numbers can be scored."""

    @abstractmethod
    def outcome(self, sent: Matrix, true: Mask) -> Outcome:
        """What the outcomes named by ``true`` got, of numbers as sent."""

    @abstractmethod
    def slopes(self, loss: TargetLoss, true: Mask, outcome: Outcome, believed: Outcome) -> Floats:
        """The slopes of φ of those outcomes by the number as sent; ``believed`` is the outcome after clipping."""

    def load(self, rows: Rows) -> Matrix:
        """A block of rows as sent, those ignored made harmless."""
        block = self.values[rows]
        return block if self.ignored is None else np.where(self.ignored[rows][:, None], self.harmless, block)

    def refusal(self, *, single: bool) -> InvalidInputError:
        """The error that names what is no such number; ``single`` says that it was sent as ``Float[n]``."""
        bad = ~self.valid(self.values)
        bad = bad if self.ignored is None else bad & ~self.ignored[:, None]
        shape = (-1,) if single else self.values.shape
        return offenders(
            bad.reshape(shape), self.values.reshape(shape), self.name, detail=f"{self.wanted} is wanted"
        )


class BinaryLogits(BinaryPredictions):
    """z with p = 1/(1+e^{−z/T}). Bounds: 4 for log p, p and 1 − p of either outcome."""

    name: ClassVar[str] = "logits"
    wanted: ClassVar[str] = "a finite number or -Infinity (never true)"
    harmless: ClassVar[float] = 0.0

    def valid(self, values: Matrix) -> Mask:
        """Anything but NaN and +∞."""
        return values < np.inf

    def outcome(self, sent: Matrix, true: Mask) -> Outcome:
        """From the odds e^u against it, u = ∓z/T; nothing is subtracted."""
        return _LogitOutcome(*_quotient(np.where(true, -sent, sent), self.temperature))

    def slopes(self, loss: TargetLoss, true: Mask, outcome: Outcome, believed: Outcome) -> Floats:
        """The slope d log p/dz = ±(1−p)/T, of the unclipped p."""
        return np.where(true, loss.slope(believed), -loss.slope(believed)) * outcome.not_p / self.temperature


class BinaryProbabilities(BinaryPredictions):
    """p as sent."""

    name: ClassVar[str] = "probabilities"
    wanted: ClassVar[str] = "a probability in [0, 1]"
    harmless: ClassVar[float] = 0.5

    def valid(self, values: Matrix) -> Mask:
        """[0, 1]."""
        return (values >= 0) & (values <= 1)

    def outcome(self, sent: Matrix, true: Mask) -> Outcome:
        """Of p, or of 1 − p."""
        return Outcome(
            np.where(true, np.log(sent), np.log1p(-sent)),
            np.where(true, sent, 1 - sent),
            np.where(true, 1 - sent, sent),
        )

    def slopes(self, loss: TargetLoss, true: Mask, outcome: Outcome, believed: Outcome) -> Floats:  # noqa: ARG002  φ moves with what is believed
        """±dφ/dp."""
        slopes = loss.slopes_by_probability(believed, loss.slope(believed))
        return np.where(true, slopes, -slopes)


class BinaryLogProbabilities(BinaryPredictions):
    """log p as sent, nats."""

    name: ClassVar[str] = "log_probabilities"
    wanted: ClassVar[str] = "a natural logarithm of a probability, at most 0,"
    harmless: ClassVar[float] = -0.6931471805599453

    def valid(self, values: Matrix) -> Mask:
        """At most 0."""
        return values <= 0

    def outcome(self, sent: Matrix, true: Mask) -> Outcome:
        """Of p, or of 1 − p with its logarithm as Mächler computes log(1 − e^x)."""
        yes = outcome_of_log_probabilities(sent)
        log_no = np.where(yes.log_p > self.harmless, np.log(yes.not_p), np.log1p(-yes.p))
        return Outcome(
            np.where(true, yes.log_p, log_no),
            np.where(true, yes.p, yes.not_p),
            np.where(true, yes.not_p, yes.p),
        )

    def slopes(self, loss: TargetLoss, true: Mask, outcome: Outcome, believed: Outcome) -> Floats:
        """The slope d log(1−p)/d log p = −p/(1−p)."""
        return loss.slope(believed) * np.where(true, 1, -(outcome.not_p / outcome.p))


def _quotient(value: Matrix, divisor: float) -> tuple[Matrix, Floats]:
    """The quotient value / divisor, and what rounding took from it where that shows in its exponential.

    Divisors beyond 2^±900 leave no room for the parts of a product; their quotients are as rounded.
    """
    if divisor == 1:
        return value, np.zeros(1)
    quotient = value / divisor
    inner = np.where(np.abs(quotient) < 2 * FAR, quotient, 0)
    product = inner * divisor
    rest = (value - product) - product_rounded_off(inner, divisor, product)
    shows = (inner != 0) & (2.0**-900 < divisor < 2.0**900)
    return quotient, np.where(shows, rest / divisor, 0)


class _LogitOutcome(Outcome):
    """An outcome against which the odds are e^u, u known beyond its last digit."""

    def __init__(self, away: Matrix, lost: Floats) -> None:
        self._away, self._lost = away, lost
        far = away > FAR
        odds = np.exp(np.minimum(away, FAR))
        odds += odds * lost
        whole = 1 + odds
        least = np.exp(np.minimum(-away, 0))
        p = np.where(far, least - least * lost, 1 / whole)
        super().__init__(-np.where(far, away, np.log1p(odds)), p, odds / whole)

    def not_p_to(self, power: float) -> Floats:
        """(1 − p)^power as e^(power·min(u, 0)) / (1 + e^−|u|)^power, whose error hardly grows with the power.

        Bound: 5 + power/2.
        """
        if power == 0:
            return np.ones_like(self._away)
        below = np.minimum(self._away, 0)
        exponent = below * power
        lost = product_rounded_off(below, power, exponent) + power * np.where(below < 0, self._lost, 0)
        fade = np.exp(exponent)
        fade = np.where(np.isfinite(lost), fade + fade * lost, fade)
        least = np.exp(-np.abs(self._away))
        whole = 1 + least
        return fade * (whole**-power * (1 - power * ((least - (whole - 1)) / whole)))
