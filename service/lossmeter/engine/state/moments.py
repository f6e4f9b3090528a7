"""Sums of powers of weights and losses over units: what the error of a weighted mean is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Moments:
    """Of rows of positive weight, or of clusters of them, with w the weight of a unit and y its weighted loss in nats.

    Every row's w and y, and every product of them, is a double; the sums are exact. A row with an infinite loss is
    counted, as a unit and as infinite, and is in none of the sums.

    Attributes:
        units: rows of positive weight, or clusters that have one.
        infinite: rows of positive weight whose loss is infinite.
        w: Σ w, and so on: wwy is Σ w² y.
    """

    units: int
    infinite: int
    w: Fraction
    y: Fraction
    ww: Fraction
    wy: Fraction
    yy: Fraction
    www: Fraction
    wwy: Fraction
    wyy: Fraction
    yyy: Fraction

    @property
    def mean(self) -> float:
        """Σ y / Σ w, correctly rounded; infinite if any loss is, 0 without weight."""
        if self.infinite:
            return float("inf")
        return float(self.y / self.w) if self.w else 0.0
