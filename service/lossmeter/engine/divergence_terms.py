"""Terms of divergences, class by class, built so that nearly equal distributions lose no digits.

Every term is ≥ 0: instead of a log(a/b), which is positive and negative and cancels, a log(a/b) − a + b is summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.numerics import log1p_minus, nearly_equal, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Mask, Matrix, Vector

NEAR = 0.4
"""Up to this relative difference two numbers are near, and their logarithms are not subtracted."""


def gap(targets: Floats, p: Floats, not_p: Floats) -> Floats:
    """The difference p − t, from the small sides where both are above one half.

    Bound: 1 of p and t as given, and of 1 − p where that is the smaller.
    """
    upper = (targets > 0.5) & (p > 0.5)  # noqa: PLR2004  from one half on 1 − t is exact
    return np.where(upper, (1 - targets) - not_p, p - targets)


def log_ratio(log_b: Floats, a: Floats, difference: Floats) -> Floats:
    """log(b/a), given b − a, where b is known by its logarithm. −inf for b = 0, inf for a = 0."""
    return log_quotient(a, np.log(a), a + difference, log_b, difference)


def log_quotient(a: Floats, log_a: Floats, b: Floats, log_b: Floats, difference: Floats) -> Floats:
    """log(b/a), given b − a: without subtracting logarithms. −inf for b = 0, inf for a = 0.

    Bound: 4 for a, b and b − a as given.
    """
    relative = difference / a
    near = nearly_equal(relative)
    smallest = np.finfo(a.dtype).tiny
    quotient = np.log(b / a)
    # What underflowed is known by its logarithm only.
    far = np.where((a > smallest) & (b > smallest) & np.isfinite(quotient), quotient, log_b - log_a)
    return np.where(near, np.log1p(np.where(near, relative, 0)), far)


def relative_entropy(a: Matrix, log_a: Matrix, b: Matrix, log_b: Matrix, difference: Matrix) -> Vector:
    """KL(a‖b) = Σ_c a_c log(a_c/b_c) ≥ 0 of every row, nats.

    Args:
        a: ``Float[n, classes]``, like all of them.
        log_a: log a.
        b: what a is compared with.
        log_b: log b.
        difference: b − a.

    Bound: 8 for a and b as given, where both sum to 1. Rows whose sums differ by more than rounding get the literal
    sum, which then can fall below 0, and is 0 there.
    """
    surplus = row_sums(difference)
    literal = np.where(np.abs(surplus) > a.shape[1] * np.finfo(np.float64).eps, surplus, 0)
    if literal.any():
        literal[_rounded_to_single(a, surplus) | _rounded_to_single(b, surplus)] = 0
    return np.maximum(row_sums(_terms(a, log_a, b, log_b, difference)) - literal, 0)


def pointwise(a: Floats, log_a: Floats, b: Floats, log_b: Floats, difference: Floats) -> Floats:
    """The terms a log(a/b), the contribution of each class to KL(a‖b); negative where b is larger; 0 for a = 0."""
    ratio = log_quotient(b, log_b, a, log_a, -difference)
    return np.where(a == 0, 0, a * np.where(a == b, 0, ratio))


def jensen_shannon(a: Matrix, b: Matrix, difference: Matrix) -> Vector:
    """JS(a, b) = ½ KL(a‖m) + ½ KL(b‖m), m = (a+b)/2, of every row; between 0 and log 2, nats.

    Bound: 8 for a, b and b − a as given.
    """
    return tilted_jensen_shannon(a, b, lean(a + b, difference))


def tilted_jensen_shannon(a: Matrix, b: Matrix, tilt: Matrix) -> Vector:
    """JS(a, b), given v = (a−b)/(a+b) = tanh(½ log(a/b)).

    A term is ¼ (a+b) (2v artanh v + log(1−v²)), whose parts cancel by a factor of 3 at most.
    """
    both = a + b
    inner = np.where(np.abs(tilt) <= 0.5, tilt, 0)  # noqa: PLR2004  beyond one half the logarithms themselves are safe
    near = 0.25 * both * (2 * inner * np.arctanh(inner) + np.log1p(-inner * inner))
    far = 0.5 * (_times_log(a, a / (0.5 * both)) + _times_log(b, b / (0.5 * both)))
    return row_sums(np.where(np.abs(tilt) <= 0.5, near, far))  # noqa: PLR2004  the same half


def lean(both: Floats, difference: Floats) -> Floats:
    """The tilt v = (a−b)/(a+b) in [−1, 1], from a + b and b − a; 0 where both are 0."""
    return np.where(both > 0, -difference / both, 0)


def entropy(p: Matrix, log_p: Matrix) -> Vector:
    """−Σ_c p_c log p_c ≥ 0 of every row, nats. Bound: 8 for p and log p as given."""
    return row_sums(np.where(p > 0, -p * log_p, 0)) + 0.0


def _terms(a: Matrix, log_a: Matrix, b: Matrix, log_b: Matrix, difference: Matrix) -> Matrix:
    """The terms a log(a/b) − a + b ≥ 0, elementwise."""
    relative = difference / a
    near = nearly_equal(relative)
    small = a * log1p_minus(np.where(near, relative, 0))
    large = a * log_quotient(b, log_b, a, log_a, -difference) + difference
    return np.where(a == 0, b, np.where(near, small, large))


def _rounded_to_single(p: Matrix, surplus: Vector) -> Mask:
    """Rows of float32 numbers, whatever they were sent as, whose sum is off by no more than such rounding explains."""
    single = (p == p.astype(np.float32)).all(axis=1)
    return single & (np.abs(surplus) <= p.shape[1] * np.finfo(np.float32).eps)


def _times_log(weight: Floats, argument: Floats) -> Floats:
    """``weight`` · log ``argument``, 0 where the weight is 0."""
    return np.where(weight > 0, weight * np.log(argument), 0)
