"""Exact sums against fractions: what goes in comes out, whatever its size, order and company."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.engine.state import exact
from lossmeter.engine.state.digits import Accumulator, Digits
from lossmeter.engine.state.exact import exact_columns, exact_sums

NUMBERS = st.floats(0, allow_nan=False, allow_infinity=False)


def fractions(values: list[float]) -> Fraction:
    """Σ of what the doubles stand for."""
    return sum(map(Fraction, values), Fraction())


def nearest(value: Fraction) -> float:
    """The nearest double; division of integers rounds correctly."""
    return value.numerator / value.denominator


@given(st.lists(NUMBERS, max_size=40))
def test_a_sum_is_that_of_the_fractions(values: list[float]) -> None:
    """Denormals, huge numbers and everything between add up without any rounding."""
    assert exact_sums(np.array(values, float)).fractions() == [fractions(values)]


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 3)), min_size=1, max_size=40))
def test_sums_by_key_are_those_of_their_values(rows: list[tuple[float, int]]) -> None:
    """Every key has the sum of its own values, 0 without any."""
    values, keys = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    want = [fractions(values[keys == key].tolist()) for key in range(4)]
    assert exact_sums(values, keys, 4).fractions() == want


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_equal_sums_are_equal_digits(values: list[float], random: object) -> None:
    """The order of the values leaves no trace, nor does how they are cut."""
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    cut = len(values) // 2
    both = Accumulator(1)
    for part in (shuffled[:cut], shuffled[cut:]):
        both.add_digits(exact_sums(np.array(part, float)))
    one, other = exact_sums(np.array(values)), both.digits()
    assert (one.low, one.planes.tolist()) == (other.low, other.planes.tolist())


@given(st.lists(NUMBERS, min_size=1, max_size=6).filter(lambda values: 2.0**-1000 < sum(values) < 2.0**1000))
def test_floats_are_the_nearest_doubles(values: list[float]) -> None:
    """A sum is rounded once, to the nearest, ties to even."""
    digits = exact_sums(np.array(values))
    assert digits.floats().tolist() == [nearest(fractions(values))]


@pytest.mark.parametrize("low", [0, 1, 2, 5])
def test_ties_are_told_from_what_is_just_above(low: int) -> None:
    """A bit at the far end of a sum decides where half a unit does not."""
    for far in (0, 1):
        planes = np.zeros((low + 4, 1), np.uint32)
        planes[-1], planes[-2], planes[-3], planes[0] = 1 << 20, 0, 1 << 31, far
        digits = Digits(-3, planes)
        assert digits.floats().tolist() == [nearest(digits.fractions()[0])]


def test_long_columns_are_cut_into_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of eight numbers give the sums that chunks of thousands do."""
    values = np.random.default_rng(0).random(1000) * 2.0 ** np.arange(-500, 500)
    keys = np.arange(1000) % 7
    want = exact_sums(values, keys, 7).fractions()
    monkeypatch.setattr(exact, "CHUNK", 8)
    assert exact_sums(values, keys, 7).fractions() == want
    assert want[0] == fractions(values[keys == 0].tolist())


def test_columns_are_summed_each_for_itself() -> None:
    """A matrix has a sum for every column, in either memory order."""
    matrix = np.asfortranarray(np.random.default_rng(1).random((20, 3)))
    want = [fractions(matrix[:, column].tolist()) for column in range(3)]
    assert exact_columns(matrix).fractions() == want
    assert exact_columns(matrix).collapsed().fractions() == [sum(want)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=5), st.integers(-100, 100))
def test_integers_are_scaled_by_a_power_of_two(integers: list[int], exponent: int) -> None:
    """An integer keeps its bits wherever its lowest one lies among the digits."""
    digits = Digits.of_integers(np.array(integers), exponent)
    assert digits.fractions() == [Fraction(each) * Fraction(2) ** exponent for each in integers]
