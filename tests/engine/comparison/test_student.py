from __future__ import annotations

import mpmath
import pytest
from scipy import stats

from lossmeter.engine.comparison.student import quantile, upper_tail

FREEDOMS = (0.5, 1, 1.7, 5, 49.9, 99.9, 100.1, 1000, 9999, 10001, 1e6, 1e9)


def exact(t: float, freedom: float) -> mpmath.mpf:
    """The tail with 40 digits."""
    with mpmath.workdps(40):
        x = mpmath.mpf(freedom) / (mpmath.mpf(freedom) + mpmath.mpf(t) ** 2)
        return mpmath.betainc(mpmath.mpf(freedom) / 2, mpmath.mpf(1) / 2, 0, x, regularized=True) / 2


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_tail_keeps_its_digits_however_small(freedom: float) -> None:
    """The tail agrees with 40-digit arithmetic to 1e-12, down to 1e-250."""
    for t in (0.0, 1e-9, 0.1, 1.0, 1.96, 5.0, 20.0, 33.0):
        oracle = stats.t.sf(t, freedom) if freedom > 20_000 else exact(t, freedom)
        if oracle > 1e-250:
            assert abs(upper_tail(t, freedom) / oracle - 1) < 1e-12


def test_tail_is_symmetric_and_ends_at_0() -> None:
    """P(T > −t) = 1 − P(T > t), and nothing lies beyond infinity."""
    assert upper_tail(-1.5, 7) == 1 - upper_tail(1.5, 7)
    assert upper_tail(float("inf"), 3) == 0


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_quantile_agrees_with_scipy(freedom: float) -> None:
    """The quantiles are SciPy's to 1e-12, on either side of the median."""
    for probability in (0.025, 0.3, 0.6, 0.975, 0.9995):
        assert quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-12)
