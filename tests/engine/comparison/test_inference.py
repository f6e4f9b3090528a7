from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.comparison.draws import (
    HARD,
    KINDS,
    coverage,
    differences,
    estimates,
    inferences,
    means,
    pooled,
    true_mean,
)
from lossmeter.engine.comparison.estimate import Estimate, from_sums, from_units
from lossmeter.engine.comparison.inference import of_difference, of_mean, of_pooled_difference

if TYPE_CHECKING:
    from lossmeter.engine.comparison.estimate import Sums


def sums(weights: Any, values: Any) -> Sums:  # noqa: ANN401  numbers of any kind
    """The exact sums of some units."""
    pairs = [(Fraction(float(w)), Fraction(float(y))) for w, y in zip(weights, values, strict=True) if w > 0]
    names = ("w", "y", "ww", "wy", "yy", "www", "wwy", "wyy", "yyy")
    powers = {
        name: sum((w ** name.count("w") * y ** name.count("y") for w, y in pairs), Fraction(0))
        for name in names
    }
    return cast("Sums", SimpleNamespace(units=len(pairs), **powers))


def estimate(weights: Any, values: Any) -> Estimate:  # noqa: ANN401
    """That of some units."""
    found = from_units(np.asarray(weights, float), np.asarray(values, float))
    assert found is not None
    return found


@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
def test_exact_sums_and_units_give_the_same_estimate(scale: float) -> None:
    """Sums and residuals agree, at any magnitude of the losses."""
    rng = np.random.default_rng(0)
    weights, losses = rng.integers(0, 5, 300).astype(float), rng.lognormal(size=300) * scale
    one, other = from_sums(sums(weights, weights * losses)), estimate(weights, weights * losses)
    assert one is not None
    assert one.units == other.units == np.count_nonzero(weights)
    for name in ("mean", "variance", "third", "lean", "effective"):
        assert float(getattr(one, name) / getattr(other, name)) == pytest.approx(1, rel=1e-9)
    low, high = of_mean(one).interval(0.95) or (0, 0)
    assert 0 < low < float(one.mean) < high


def test_nothing_cancels_beside_a_large_mean() -> None:
    """A spread of 1e-9 about a mean of 1e6 keeps all its digits."""
    losses = 1e6 + np.arange(50) * 2.0**-30
    found = from_sums(sums(np.ones(50), losses))
    assert found is not None
    exact = Fraction(50 * (50**2 - 1), 12) / 49 / 50 * Fraction(2) ** -60
    assert found.variance == exact
    assert found.third == 0


def test_plain_mean_of_symmetric_losses_has_student_s_interval() -> None:
    """Without skewness the interval is the textbook's, and so is the p-value."""
    losses = np.concatenate([np.arange(30.0), np.arange(30.0)])
    found = of_mean(estimate(np.ones(60), losses))
    expected = stats.ttest_1samp(losses, 13.0)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-12)
    assert found.p_value(13.0) == pytest.approx(expected.pvalue, rel=1e-10)


def test_difference_of_symmetric_samples_is_welch_s() -> None:
    """The difference has Welch's degrees of freedom, interval and p-value."""
    one, other = np.arange(30.0), np.arange(50.0) * 2 - 31
    found = of_difference(estimate(np.ones(30), one), estimate(np.ones(50), other))
    expected = stats.ttest_ind(other, one, equal_var=False)
    assert found.freedom == pytest.approx(expected.df, rel=1e-12)
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-12)
    assert found.p_value() == pytest.approx(expected.pvalue, rel=1e-10)


@given(
    losses=st.lists(st.floats(0, 50), min_size=2, max_size=30),
    level=st.sampled_from([0.5, 0.9, 0.95, 0.999]),
    truth=st.floats(0, 50),
)
def test_interval_holds_what_the_p_value_allows(losses: list[float], level: float, truth: float) -> None:
    """A value lies inside the interval if and only if its p-value is at least 1 − level."""
    found = of_mean(estimate(np.ones(len(losses)), losses))
    interval, p_value = found.interval(level), found.p_value(truth)
    assert (interval is None) == (p_value is None)
    if interval is not None and p_value is not None and abs(p_value - (1 - level)) > 1e-6:
        assert (interval[0] <= truth <= interval[1]) == (p_value >= 1 - level)


def test_swapped_windows_mirror_the_interval() -> None:
    """Comparing the other way round changes the sign and nothing else."""
    rng = np.random.default_rng(3)
    one, other = estimate(np.ones(90), rng.lognormal(size=90)), estimate(np.ones(60), rng.gamma(1, size=60))
    low, high = of_difference(one, other).interval(0.95) or (0, 0)
    assert of_difference(other, one).interval(0.95) == pytest.approx((-high, -low), rel=1e-12)
    assert of_difference(one, other).p_value() == pytest.approx(of_difference(other, one).p_value())


@pytest.mark.parametrize(
    ("weights", "losses", "why"),
    [
        ([1.0], [2.0], "one row"),
        ([1.0] * 40, [0.5] * 40, "equal"),
        ([1.0] * 6, [1.0, 2, 3, 4, 5, 6], "10 are wanted"),
        ([1.0] * 200, [0.0] * 197 + [3.0, 4.0, 5.0], "carry the loss"),
        ([1.0] * 3 + [1e-9] * 200, list(range(203)), "too little"),
    ],
)
def test_what_no_interval_can_be_made_of_is_said(weights: list[float], losses: list[float], why: str) -> None:
    """One row, equal losses, few rows, few that count: each is a caution of its own."""
    assert why in (of_mean(estimate(weights, np.multiply(weights, losses))).caution or "")


def test_no_weight_is_no_estimate() -> None:
    """Rows without weight say nothing."""
    assert from_units(np.zeros(3), np.zeros(3)) is None
    assert from_sums(sums([0.0], [0.0])) is None


@pytest.mark.parametrize("kind", [*KINDS, *HARD])
def test_simulations_do_what_the_engine_does(kind: str) -> None:
    """The arrays of ``draws`` are the engine's own numbers, for means and for differences."""
    draw, rng = {**KINDS, **HARD}[kind][0], np.random.default_rng(4)
    samples = [draw(rng, (20, n)) for n in (60, 90)]
    many = [estimates(*sample) for sample in samples]
    for row in range(20):
        one, other = (estimate(weights[row], values[row]) for weights, values in samples)
        for found, all_of_them in (
            (of_mean(one), inferences(many[0])),
            (of_difference(one, other), inferences(many[1], many[0])),
            (of_pooled_difference(one, other), pooled(many[1], many[0])),
        ):
            for name in ("value", "error", "freedom", "first", "third", "skewness"):
                expected = getattr(all_of_them, name)[row]
                assert float(getattr(found, name)) == pytest.approx(expected, rel=1e-7, abs=1e-9)
            ends = [end[row] for end in all_of_them.interval(0.95)]
            assert found.interval(0.95) == pytest.approx(ends, rel=1e-7, abs=1e-9)
            assert (found.caution is not None) == all_of_them.unsure[row]


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth_as_often_as_they_say(kind: str, n: int) -> None:
    """95 ± 1 % of 10 000 intervals of 200 rows (of 2000 rows: 4000) hold the true mean, for every kind of loss."""
    found = coverage(means(kind, n, 10_000 if n == 200 else 4000), true_mean(kind))
    assert 0.94 <= found.inside <= 0.96
    assert found.alarms <= 0.035


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(200, 200), (1000, 200)])
def test_equal_windows_raise_no_more_alarms_than_they_may(kind: str, sizes: tuple[int, int]) -> None:
    """Of two windows of the same distribution the second is called worse in at most 2.5 + 1 % of all cases."""
    found = coverage(differences(kind, sizes, 5000), 0.0)
    assert found.alarms <= 0.035
    assert 0.935 <= found.inside <= 0.965


@pytest.mark.parametrize("kind", HARD)
def test_where_the_closed_form_fails_alarms_are_no_more_frequent(kind: str) -> None:
    """Losses that a few rows carry get a caution instead of a verdict, so false alarms stay rare."""
    found = coverage(means(kind, 200, 10_000), true_mean(kind))
    assert found.alarms <= 0.035
    assert found.unsure > 0.05


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("sizes", [(200, 200), (1000, 200), (200, 1000)])
def test_a_window_that_met_no_rare_row_raises_no_alarm(kind: str, sizes: tuple[int, int]) -> None:
    """A small reference without the rows that carry the loss is not held against the current window."""
    assert coverage(differences(kind, sizes, 5000), 0.0).alarms <= 0.035


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [200, 500, 2000, 20_000])
def test_intervals_of_any_size_hold_the_truth_as_often_as_they_say(kind: str, n: int) -> None:
    """95 ± 1 % of 10 000 other intervals hold the true mean."""
    assert 0.94 <= coverage(means(kind, n, 10_000, seed=7), true_mean(kind)).inside <= 0.96


@pytest.mark.long
@pytest.mark.parametrize("kind", [*KINDS, *HARD])
@pytest.mark.parametrize("sizes", [(200, 200), (200, 1000), (1000, 200), (2000, 2000), (20_000, 200)])
def test_alarms_of_any_two_windows_are_as_rare_as_they_say(kind: str, sizes: tuple[int, int]) -> None:
    """At most 2.5 + 1 % of 10 000 comparisons of equal distributions say worse."""
    assert coverage(differences(kind, sizes, 10_000, seed=8), 0.0).alarms <= 0.035
