"""Stable primitives against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lossmeter.engine import numerics
from lossmeter.engine.predictions.zero_sums import exact_row_sums
from lossmeter.engine.summation import CHUNK, total

FINITE = st.floats(
    allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150, allow_subnormal=False
)


def vector(*values: float) -> np.ndarray:
    """Float64 numbers."""
    return np.array(values)


@given(FINITE, FINITE)
def test_a_difference_and_what_it_lost(minuend: float, subtrahend: float) -> None:
    """Difference + rounded_off is minuend − subtrahend, exactly (Knuth, TAOCP 2, section 4.2.2, theorem B)."""
    difference = minuend - subtrahend
    lost = numerics.rounded_off(vector(minuend), vector(subtrahend), vector(difference))[0]
    assert Fraction(difference) + Fraction(float(lost)) == Fraction(minuend) - Fraction(subtrahend)


@given(
    st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100),
    st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30),
)
def test_a_product_and_what_it_lost(left: float, right: float) -> None:
    """Product − product_rounded_off is left · right, exactly (Dekker, Numerische Mathematik 18, 1971)."""
    product = left * right
    lost = float(numerics.product_rounded_off(vector(left), right, vector(product))[0])
    assert Fraction(product) + Fraction(lost) == Fraction(left) * Fraction(right)


@given(st.floats(-1, 1e6, exclude_min=True) | st.floats(-1e-3, 1e-3))
def test_log1p_minus(u: float) -> None:
    """U − log(1+u) within 8 units, also where both terms nearly cancel."""
    found = float(numerics.log1p_minus(vector(u))[0])
    with mpmath.workdps(700):
        exact = mpmath.mpf(u) - mpmath.log(1 + mpmath.mpf(u))
        assert abs(mpmath.mpf(found) - exact) <= 8 * 2.0**-53 * exact + mpmath.mpf("5e-324")


def test_log1p_minus_where_its_ways_meet() -> None:
    """The same bound on a fine grid from −1 to 3, over both ways of computing it."""
    grid = np.linspace(-0.999, 3, 1501)
    for u, found in zip(grid.tolist(), numerics.log1p_minus(grid).tolist(), strict=True):
        with mpmath.workdps(40):
            exact = mpmath.mpf(u) - mpmath.log(1 + mpmath.mpf(u))
            assert abs(found - exact) <= 8 * 2.0**-53 * exact, u


def test_exp_minus() -> None:
    """e^h − 1 − h within 8 units on a fine grid and for tiny numbers, over both ways of computing it."""
    tiny = np.logspace(-300, -1, 120)
    grid = np.concatenate([np.linspace(-50, 50, 1001), np.linspace(-1.5, 1.5, 1001), tiny, -tiny])
    for h, found in zip(grid.tolist(), numerics.exp_minus(grid).tolist(), strict=True):
        with mpmath.workdps(40 if abs(h) > 1e-9 else 700):
            exact = mpmath.expm1(mpmath.mpf(h)) - mpmath.mpf(h)
            assert abs(found - exact) <= 8 * 2.0**-53 * exact + mpmath.mpf("5e-324"), h


def test_log1p_minus_at_its_ends() -> None:
    """0 at 0, infinite at −1, and never negative."""
    with np.errstate(divide="ignore"):
        found = numerics.log1p_minus(vector(0.0, -0.0, -1.0, 1e-300))
    assert found[0] == found[1] == found[3] == 0
    assert found[2] == np.inf
    assert not np.signbit(found).any()


@example(classes=120, seed=0)  # among the lengths at which NumPy adds the most terms one by one
@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_row_sums(classes: int, seed: int) -> None:
    """Within the bound for terms of one sign, and the same bits for one row, many rows and either memory order."""
    terms = np.random.default_rng(seed).exponential(size=(5, classes)) ** 9
    kept = terms.copy()
    sums = numerics.row_sums(terms)
    np.testing.assert_array_equal(terms, kept)
    for row, found in zip(terms, sums, strict=True):
        exact = math.fsum(row)
        assert abs(found - exact) <= (3 + math.log2(classes)) * 2.0**-53 * exact + math.ulp(exact) / 2
        assert numerics.row_sums(row[None])[0] == found
    np.testing.assert_array_equal(numerics.row_sums(np.asfortranarray(terms)), sums)
    wide = np.zeros((5, 2 * classes))
    wide[:, ::2] = terms
    np.testing.assert_array_equal(numerics.row_sums(wide[:, ::2]), sums)


@example(classes=3, seed=0, cancel=True)
@given(st.integers(1, 100), st.integers(0, 2**32 - 1), st.booleans())
def test_exact_row_sums(classes: int, seed: int, cancel: bool) -> None:  # noqa: FBT001  drawn
    """Rounded once, also where a row of mixed signs nearly cancels."""
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(4, classes)) * np.exp(rng.uniform(-20, 20, (4, classes)))
    if cancel:
        terms[:, 0] -= np.sum(terms, axis=1)
    ordered = np.asfortranarray(terms) if classes < numerics.LONG_ROW else terms
    for size in (None, np.sum(np.abs(terms), axis=1)):
        for row, found in zip(terms, exact_row_sums(ordered.copy(order="K"), size), strict=True):
            exact = math.fsum(row)
            assert abs(found - exact) <= math.ulp(exact) + classes * 2.0**-100 * math.fsum(np.abs(row))


def test_finite_product() -> None:
    """A weight of 0 silences infinity and NaN; other weights multiply."""
    with np.errstate(invalid="ignore"):
        found = numerics.finite_product(vector(0, 0, -0.0, 2, 2), vector(np.inf, np.nan, 1, np.inf, 3))
    np.testing.assert_array_equal(found, [0, 0, 0, np.inf, 6])


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=300))
def test_a_short_total_is_correctly_rounded(values: list[float]) -> None:
    """math.fsum, or one unit from it."""
    exact = math.fsum(values) if sum(values) < 1e308 else math.inf
    assert total(vector(*values)) == pytest.approx(exact, rel=2.0**-52)


@pytest.mark.parametrize("n", [257, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
@pytest.mark.parametrize("sizes", ["alike", "of every magnitude", "one giant"])
def test_a_long_total_loses_nothing(n: int, sizes: str) -> None:
    """At most one unit from the correctly rounded sum, the same from one thread and several, and in any order."""
    rng = np.random.default_rng(n)
    values = rng.uniform(0, 1, n)
    if sizes == "of every magnitude":
        values = np.exp(rng.uniform(-600, 600, n))
    if sizes == "one giant":
        values[n // 2] = 2.0**60
    exact = math.fsum(values)
    found = total(values, 1)
    assert abs(found - exact) <= math.ulp(exact)
    assert total(values, 3) == found
    assert abs(total(rng.permutation(values)) - exact) <= math.ulp(exact)


@pytest.mark.parametrize("n", [3, 1000, 2 * CHUNK])
def test_totals_at_the_edges(n: int) -> None:
    """Zeros, an infinity, subnormal numbers, and a sum beyond the doubles, with no warning."""
    assert total(np.zeros(n)) == 0
    assert not np.signbit(total(np.full(n, -0.0)))
    values = np.ones(n)
    values[-1] = np.inf
    assert total(values) == np.inf
    assert total(np.full(n, 5e-324)) == n * 5e-324
    assert total(np.full(n, 1.7e308)) == np.inf


def test_a_total_of_single_precision() -> None:
    """float32 is summed in float64."""
    values = np.full(1_000_000, 0.1, np.float32)
    assert total(values) == pytest.approx(1_000_000 * float(np.float32(0.1)), rel=1e-14)
