"""A probability in the three forms that keep their digits wherever it lies."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats


class Outcome:
    """The probability that the model gave to something, each form of full relative accuracy.

    Attributes:
        log_p: log p ≤ 0, nats.
        p: p in [0, 1].
        not_p: 1 − p, not computed by that subtraction.
    """

    log_p: Floats
    p: Floats
    not_p: Floats

    def __init__(self, log_p: Floats, p: Floats, not_p: Floats) -> None:
        self.log_p, self.p, self.not_p = log_p, p, not_p

    def not_p_to(self, power: float) -> Floats:
        """(1 − p)^power."""
        return self.not_p**power


class RatioOutcome(Outcome):
    """An outcome known by its mass and that of everything else; p and 1 − p are made when a loss looks at them."""

    def __init__(
        self, log_p: Floats, mass: Floats, others: Floats
    ) -> None:  # no super(): the two are lazy here
        self.log_p, self._mass, self._others = log_p, mass, others

    @cached_property
    def p(self) -> Floats:  # type: ignore[override]  # an attribute of Outcome, computed once
        """``mass`` / (mass + others)."""
        return self._mass / (self._mass + self._others)

    @cached_property
    def not_p(self) -> Floats:  # type: ignore[override]
        """``others`` / (mass + others)."""
        return self._others / (self._mass + self._others)
