from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lossmeter.engine.comparison.counts import fisher, sign_test

PAIRS = [
    ((0, 100), (5, 100)),
    ((3, 1000), (3, 200)),
    ((7, 50), (2, 60)),
    ((0, 9), (9, 9)),
    ((0, 10**6), (4, 10**6)),
    ((9000, 10_000), (4000, 10_000)),
    ((50, 60), (59, 60)),
    ((5, 5), (0, 8)),
]


@pytest.mark.parametrize(("reference", "current"), PAIRS)
def test_fisher_is_scipy_s(reference: tuple[int, int], current: tuple[int, int]) -> None:
    """The p-value is that of Fisher's exact test, on either side of the mode."""
    (few, n), (many, m) = reference, current
    table = np.array([[many, m - many], [few, n - few]])
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher(reference, current) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("arisen", "left"), [(0, 0), (0, 5), (5, 0), (60, 40), (40, 60), (90_000, 10_000)])
def test_sign_test_is_scipy_s(arisen: int, left: int) -> None:
    """The p-value is the binomial tail, also where its terms are below any double."""
    expected = stats.binom.sf(arisen - 1, arisen + left, 0.5)
    assert sign_test(arisen, left) == pytest.approx(expected, rel=1e-8)
