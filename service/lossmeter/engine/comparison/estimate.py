"""A weighted mean loss with what is known about its error, from exact sums over its units.

A unit is a row, or a cluster of rows that belong together (a user, a document), with its weight w and its weighted loss
y. The mean is the ratio R = Σy/Σw. With the residuals u = y − R w, whose sum is 0,

* variance = n/(n−1) · Σu² / (Σw)²: of a ratio, robust to unequal weights and to clusters;
* third = Σu³ / (Σw)³: the third cumulant of the mean, which says how lopsided its distribution still is;
* lean = Σuw / (Σw)²: the covariance of the mean with the sum of its weights, which lopsides a ratio, too.

Residuals are never made: Σu² = Σy² − 2RΣwy + R²Σw² in fractions, where nothing cancels.

Source: Cochran, "Sampling Techniques", 3rd ed. 1977, 2.11 and 6.3 (ratios), 9A (clusters).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lossmeter.engine.summation import total

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector


class Sums(Protocol):
    """Exact sums over units of weight w and weighted loss y; those with an infinite loss are counted apart."""

    @property
    def units(self) -> int:
        """Units that the sums hold."""
        ...

    @property
    def w(self) -> Fraction:
        """Σw."""
        ...

    @property
    def y(self) -> Fraction:
        """Σy."""
        ...

    @property
    def ww(self) -> Fraction:
        """Σw²."""
        ...

    @property
    def wy(self) -> Fraction:
        """Σwy."""
        ...

    @property
    def yy(self) -> Fraction:
        """Σy²."""
        ...

    @property
    def www(self) -> Fraction:
        """Σw³."""
        ...

    @property
    def wwy(self) -> Fraction:
        """Σw²y."""
        ...

    @property
    def wyy(self) -> Fraction:
        """Σwy²."""
        ...

    @property
    def yyy(self) -> Fraction:
        """Σy³."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the first cumulants of its error; exact but for what rows were rounded to.

    Attributes:
        units: how many there are.
        mean: R, nats.
        variance: of R; 0 for a single unit.
        third: cumulant of R.
        lean: covariance of R with Σw / E Σw.
        effective: how many units of equal weight would do as well, (Σw²)³ / (Σw³)²: what is left of n where few
            units carry the weight.
    """

    units: int
    mean: Fraction
    variance: Fraction
    third: Fraction
    lean: Fraction
    effective: float


def from_sums(sums: Sums, rounded: Fraction = Fraction(0)) -> Estimate | None:
    """The estimate behind exact sums; None where nothing has a weight.

    Args:
        sums: of the units.
        rounded: to what share of themselves the products were rounded before they were added up; a smaller spread than
            that is none of the losses.
    """
    if sums.w <= 0 or sums.units < 1:
        return None
    mean = Fraction(sums.y) / Fraction(sums.w)
    size = sums.yy + mean**2 * sums.ww
    second = size - 2 * mean * sums.wy
    if second <= size * rounded:
        return _estimate(sums.units, mean, Fraction(0), Fraction(0), Fraction(0), sums.w, sums.ww, sums.www)
    third = sums.yyy - 3 * mean * sums.wyy + 3 * mean**2 * sums.wwy - mean**3 * sums.www
    lean = sums.wy - mean * sums.ww
    return _estimate(sums.units, mean, second, third, lean, sums.w, sums.ww, sums.www)


def from_units(weights: Vector, values: Vector) -> Estimate | None:
    """The estimate of Σy/Σw from units themselves, ``Float[units]`` each; residuals are made, and of any sign."""
    kept = weights > 0
    w, y = weights[kept], values[kept]
    if not w.size:
        return None
    scale = float(np.max(w))  # cubes of weights stay in range
    w, y = w / scale, y / scale
    whole = Fraction(total(w))
    mean = Fraction(_signed(y)) / whole
    u = y - float(mean) * w
    size = float(np.max(np.abs(u))) or 1.0
    u /= size
    second = Fraction(total(u * u)) * Fraction(size) ** 2
    third = Fraction(_signed(u * u * u)) * Fraction(size) ** 3
    lean = Fraction(_signed(u * w)) * Fraction(size)
    return _estimate(
        len(w), mean, second, third, lean, whole, Fraction(total(w * w)), Fraction(total(w * w * w))
    )


def _signed(values: Vector) -> float:
    """Σ of numbers of either sign."""
    return total(np.where(values > 0, values, 0)) - total(np.where(values < 0, -values, 0))


def _estimate(  # noqa: PLR0913, PLR0917  the sums themselves, in the order of their powers
    units: int,
    mean: Fraction,
    second: Fraction,
    third: Fraction,
    lean: Fraction,
    w: Fraction,
    ww: Fraction,
    www: Fraction,
) -> Estimate:
    if units == 1:
        return Estimate(1, mean, Fraction(0), Fraction(0), Fraction(0), 1.0)
    return Estimate(
        units,
        mean,
        Fraction(units, units - 1) * second / w**2,
        third / w**3,
        lean / w**2,
        float(ww**3 / www**2),
    )
