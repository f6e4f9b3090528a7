"""The primitives, each against its own bound."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import numerics
from lossmeter.engine.predictions.zero_sums import close_rows, exact_row_sums
from lossmeter.engine.summation import total

moderate = st.floats(-1e100, 1e100, allow_subnormal=False)
positive = rows.powers(-300, 300)


@given(left=moderate, right=moderate)
@rows.thoroughly
def test_rounded_off_is_exact(left: float, right: float) -> None:
    """Difference and what rounding took from it are the difference."""
    a, b = np.array([left]), np.array([right])
    lost = numerics.rounded_off(a, b, a - b)
    assert Fraction(left) - Fraction(right) == Fraction((a - b)[0]) + Fraction(lost[0])


@given(left=st.floats(-1e100, 1e100), right=st.floats(-1e100, 1e100))
@rows.thoroughly
def test_product_rounded_off_is_exact(left: float, right: float) -> None:
    """Product and what rounding took from it are the product, away from underflow."""
    a = np.array([left])
    assume(abs(left * right) > 1e-200)
    assume(min(abs(left), abs(right)) > 1e-200)
    product = a * right
    lost = numerics.product_rounded_off(a, right, product)
    assert Fraction(left) * Fraction(right) == Fraction(product[0]) + Fraction(lost[0])


@given(
    u=st.one_of(
        st.floats(-1, 10, exclude_min=True), rows.powers(-150, 0), rows.powers(-150, -0.01).map(lambda u: -u)
    )
)
@rows.thoroughly
def test_log1p_minus(u: float) -> None:
    """U − log(1+u) within 8."""
    returned = numerics.log1p_minus(np.array([u]))[0]
    assert returned >= 0
    assert exact.units(returned, exact.log1p_minus(exact.mpf(u)), np.float64) <= 8


@given(h=st.one_of(st.floats(-800, 700), rows.powers(-150, 0), rows.powers(-150, 0).map(lambda h: -h)))
@rows.thoroughly
def test_exp_minus(h: float) -> None:
    """e^h − 1 − h within 8."""
    x = exact.mpf(h)
    truth = exact.expm1(x) - x if abs(x) > exact.SMALL else x * x / 2 + x**3 / 6 + x**4 / 24
    returned = numerics.exp_minus(np.array([h]))[0]
    assert returned >= 0
    assert exact.units(returned, truth, np.float64) <= 8


@given(terms=st.lists(positive, min_size=1, max_size=40))
@rows.thoroughly
def test_row_sums(terms: list[float]) -> None:
    """Sums of one sign within (3 + log2 classes)/2 ulp, that is 3 + log2 classes units."""
    returned = numerics.row_sums(np.array([terms]))[0]
    assert exact.units(returned, exact.total(exact.read(terms)), np.float64) <= 3 + math.log2(len(terms))


@given(terms=st.lists(positive, min_size=1, max_size=40), dtype=rows.dtypes)
@rows.thoroughly
def test_exact_row_sums(terms: list[float], dtype: Any) -> None:  # noqa: ANN401  a NumPy scalar type
    """Sums of one sign within 2 units, whatever their number and order."""
    row = np.array([terms]) if dtype is np.float64 else np.clip([terms], 1e-30, 1e30).astype(dtype)
    returned = exact_row_sums(row)[0]
    assert exact.units(returned, exact.total(exact.read(row[0])), dtype) <= 2


@given(terms=st.lists(positive, min_size=2, max_size=40), at=st.integers(0, 39))
@rows.thoroughly
def test_closed_rows_sum_to_nothing(terms: list[float], at: int) -> None:
    """A row that is closed sums to 0 within half an ulp of the entry that closes it."""
    row, place = np.array([terms]), at % len(terms)
    close_rows(row, np.array([place]))
    assert abs(math.fsum(row[0])) <= np.spacing(abs(row[0, place])) / 2


@given(values=st.lists(positive, min_size=1, max_size=40))
@rows.thoroughly
def test_total(values: list[float]) -> None:
    """Sums over rows within 1 ulp of the correctly rounded one."""
    truth = math.fsum(values)
    assert abs(total(np.array(values)) - truth) <= np.spacing(truth)
