"""What a state says of its own mean loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lossmeter.engine.comparison.estimate import Estimate, from_sums
from lossmeter.engine.comparison.exact import nearest
from lossmeter.engine.comparison.inference import of_mean

if TYPE_CHECKING:
    from lossmeter.engine.state import Moments

ROUNDED = Fraction(1, 1 << 51)
"""Each product of weights and losses in a state is rounded once, to 2⁻⁵³ of itself."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of a state or of a slice, and their mean loss in nats; None is what could not be told.

    Attributes:
        count: rows that are not ignored.
        weight: Σ w of those of a finite loss.
        units: rows of positive weight, or clusters of them: what the errors are reckoned from.
        infinite: rows of positive weight whose loss is infinite.
        loss: the weighted mean; infinite if any loss is.
        finite_loss: the weighted mean of the finite losses; intervals and comparisons are of this one.
        standard_error: of ``finite_loss``.
        interval: low and high, corrected for skewness.
        caution: why the interval is not to be relied upon.
    """

    count: int
    weight: float
    units: int
    infinite: int
    loss: float | None
    finite_loss: float | None
    standard_error: float | None
    interval: tuple[float, float] | None
    caution: str | None


def window_of(moments: Moments, count: int, level: float) -> tuple[Window, Estimate | None]:
    """The window, and the estimate that it was made of; None without any finite loss of positive weight."""
    found = from_sums(moments, ROUNDED)
    inference = None if found is None else of_mean(found)
    finite = None if found is None else nearest(found.mean)
    window = Window(
        count=count,
        weight=nearest(moments.w),
        units=moments.units,
        infinite=moments.infinite,
        loss=math.inf if moments.infinite else finite,
        finite_loss=finite,
        standard_error=None if inference is None else inference.standard_error,
        interval=None if inference is None else inference.interval(level),
        caution="no row of positive weight and finite loss" if inference is None else inference.caution,
    )
    return window, found
