"""How sure a mean loss, or the difference of two, is: interval and p-value in closed form.

Losses are lopsided: many small, a few large. The studentised mean T = (R̂ − R)/s then is not a t variate; its tails are
unequal at any size of sample that matters. To the order 1/√n, with the cumulants k₁ and k₃ of T,

    P(T ≤ x) = Φ(x) − (k₁ + k₃ (x²−1)/6) φ(x),

and with c = −k₃/6 and d = k₃/6 − k₁ the variate g(T) = ((1 + cT)³ − 1)/(3c) + d is normal to that order. g is monotone,
so an interval for R is that of a t variate, taken back through g (Hall's cubic transformation). For a ratio of sums

    k₁ = −h/s − (k − 4s²h)/(2s³),    k₃ = (6s²h − 2k)/s³,

with k the third cumulant of R̂ and h its ``lean``; for a plain mean that is Hall's −γ/2 and −2γ. A difference of
independent means has the difference of the numerators. Two things beyond Hall were chosen by simulation and are
measured by ``benchmarks/interval_coverage.py``:

* the third cumulants of two samples that nearly cancel leave mostly noise, so k₁ and k₃ of a difference are believed by
  1 − (the smaller numerator of k₃ / the larger);
* quantiles are widened by 1 + ¾ ((|numerator₁| + |numerator₂|)/2s³)², which is of the order 1/n, for the noise of k.

Where few units carry the loss no closed form can know what the rest of the tail holds: see ``caution``. A small window
may have met none of them, and then shows neither spread nor skewness; ``of_pooled_difference`` lends it those of the
other, as they are if nothing has changed.

Source: P. Hall, "On the Removal of Skewness by Transformation", JRSS B 54 (1992); Welch, Biometrika 34 (1947).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lossmeter.engine.comparison.exact import nearest, root
from lossmeter.engine.comparison.student import quantile, upper_tail

if TYPE_CHECKING:
    from lossmeter.engine.comparison.estimate import Estimate

WIDENING = 0.75
"""What the square of the skewness is multiplied by."""

MOST_SKEWNESS = 0.4
"""From here on about ten units or fewer carry the error of the mean."""

LEAST_FREEDOM = 0.5
"""With less, all the weight lies on one unit."""

LEAST_UNITS = 10
"""With fewer units of equal weight, their spread is not known either."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A mean or a difference, and its error.

    Attributes:
        value: R̂, or the difference of two.
        error: its standard error.
        freedom: degrees of freedom of the error.
        first: k₁ of the studentised value.
        third: its k₃.
        skewness: of the value, without regard to what cancels in a difference; ≥ 0.
    """

    value: Fraction
    error: Fraction
    freedom: float
    first: float
    third: float
    skewness: float

    def interval(self, level: float) -> tuple[float, float] | None:
        """The interval that holds the truth in a share ``level`` of all samples; None where no spread is known."""
        if not self.is_told:
            return None
        reach = quantile((1 + level) / 2, self.freedom) * self._widening
        low, high = self._back(-reach), self._back(reach)
        return nearest(self.value - Fraction(high) * self.error), nearest(
            self.value - Fraction(low) * self.error
        )

    def p_value(self, truth: float = 0.0) -> float | None:
        """The share of samples at least so far, on either side, from ``truth`` if that is the truth."""
        if not self.is_told:
            return None
        z = self._forth(nearest((self.value - Fraction(truth)) / self.error)) / self._widening
        return min(1.0, 2 * upper_tail(abs(z), self.freedom))

    @property
    def standard_error(self) -> float | None:
        """The error as a double; None where a single unit shows none."""
        return nearest(self.error) if self.freedom >= LEAST_FREEDOM else None

    @property
    def is_told(self) -> bool:
        """Whether the rows say anything of their spread; quantiles of nearly no degrees of freedom overflow."""
        return self.error > 0 and self.freedom >= LEAST_FREEDOM

    @property
    def caution(self) -> str | None:
        """Why the interval is not to be relied upon; None where it is."""
        if self.freedom < LEAST_FREEDOM:
            return "one row (or cluster) of any weight has no spread: an interval needs more"
        if not self.error:
            return "all losses are equal: they show no spread to make an interval of"
        if self.freedom + 1 < LEAST_UNITS:
            return f"the weight of {self.freedom + 1:.1f} rows (or clusters) is too little: {LEAST_UNITS} are wanted"
        if self.skewness > MOST_SKEWNESS:
            return (
                "a few rows (or clusters) carry the loss: the skewness of its mean is "
                f"{self.skewness:.2f}, above {MOST_SKEWNESS}"
            )
        return None

    @property
    def _widening(self) -> float:
        return 1 + WIDENING * self.skewness**2

    def _forth(self, t: float) -> float:
        """The normal variate g(T)."""
        c, d = -self.third / 6, self.third / 6 - self.first
        return t * (1 + c * t + (c * t) ** 2 / 3) + d

    def _back(self, z: float) -> float:
        """The inverse g⁻¹(z) = (∛(1 + 3c(z−d)) − 1)/c, as w/(r²+r+1) with r the root, where nothing cancels."""
        c, d = -self.third / 6, self.third / 6 - self.first
        cube = math.cbrt(1 + 3 * c * (z - d))
        return 3 * (z - d) / (cube * cube + cube + 1)


def of_mean(estimate: Estimate) -> Inference:
    """A single mean."""
    return _inference(estimate, None)


def of_difference(reference: Estimate, current: Estimate) -> Inference:
    """``current`` − ``reference``, of independent samples."""
    return _inference(current, reference)


def of_pooled_difference(reference: Estimate, current: Estimate) -> Inference:
    """The same, if units of both samples err alike: each is given the cumulants that a unit has on average."""
    n = reference.units + current.units
    pair = (reference, current)
    variance = sum((each.variance * each.units**2 for each in pair), Fraction(0)) / n
    third = sum((each.third * each.units**3 for each in pair), Fraction(0)) / n
    lean = sum((each.lean * each.units**2 for each in pair), Fraction(0)) / n
    effective = (reference.effective + current.effective) / n
    alike = [
        replace(
            each,
            variance=variance / each.units,
            third=third / each.units**2,
            lean=lean / each.units,
            effective=effective * each.units,
        )
        for each in pair
    ]
    return _inference(alike[1], alike[0])


def _inference(one: Estimate, other: Estimate | None) -> Inference:
    variance = one.variance + (other.variance if other else 0)
    value = one.mean - (other.mean if other else 0)
    error = root(variance)
    freedom = _freedom(one, other)
    if not error:
        return Inference(value, error, freedom, 0.0, 0.0, 0.0)
    first, third = _numerators(one, error)
    first_other, third_other = _numerators(other, error) if other else (0.0, 0.0)
    belief = _belief(third, third_other)
    return Inference(
        value,
        error,
        freedom,
        belief * (first - first_other),
        belief * (third - third_other),
        (abs(third) + abs(third_other)) / 2,
    )


def _numerators(estimate: Estimate, error: Fraction) -> tuple[float, float]:
    """What a sample adds to k₁ and k₃ of a value with that error."""
    both = estimate.variance * estimate.lean
    third = 6 * both - 2 * estimate.third
    first = -estimate.lean / error - (estimate.third - 4 * both) / (2 * error**3)
    return nearest(first), nearest(third / error**3)


def _belief(third: float, other: float) -> float:
    small, large = sorted((abs(third), abs(other)))
    return 1 - small / large if third * other > 0 else 1.0


def _freedom(one: Estimate, other: Estimate | None) -> float:
    """Welch's degrees of freedom, of effective units."""
    parts = [each for each in (one, other) if each is not None and each.variance]
    if not parts:
        return min(each.effective - 1 for each in (one, other) if each is not None)
    whole = sum(each.variance for each in parts)
    if any(each is not None and each.units == 1 for each in (one, other)):
        return 0.0
    return 1 / sum(float(each.variance / whole) ** 2 / max(each.effective - 1, 1e-9) for each in parts)
