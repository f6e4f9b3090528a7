"""A probability in the three forms that keep their digits wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass

from lossmeter.engine.arrays import Floats


@dataclass(frozen=True, slots=True)
class Outcome:
    """The probability that the model gave to something, in three forms of full relative accuracy.

    Attributes:
        log_p: log p ≤ 0, nats.
        p: p in [0, 1].
        not_p: 1 − p, not computed by that subtraction.
    """

    log_p: Floats
    p: Floats
    not_p: Floats
