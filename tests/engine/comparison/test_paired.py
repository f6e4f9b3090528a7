from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.comparison.draws import coverage, estimates, inferences
from lossmeter.engine.comparison import compare_paired
from lossmeter.errors import InvalidInputError


def models(seed: int, n: int = 300) -> tuple[Any, Any]:
    """The losses of two models on rows that are hard for both or for neither."""
    rng = np.random.default_rng(seed)
    hard = rng.exponential(size=n)
    return hard * rng.gamma(20, 0.05, n), hard * rng.gamma(20, 0.055, n)


def test_difference_is_the_mean_of_the_rows() -> None:
    """Mean and standard error are those of the paired t test."""
    one, other = models(0)
    found = compare_paired(reference_losses=one, current_losses=other)
    theirs = stats.ttest_rel(other, one)
    assert found.difference == pytest.approx(np.mean(other - one), rel=1e-12)
    assert found.standard_error == pytest.approx(np.mean(other - one) / theirs.statistic, rel=1e-12)
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=0.1)
    assert found.verdict == "worse"
    assert found.worse_share == pytest.approx(np.mean(other > one))
    assert found.better_share == pytest.approx(np.mean(other < one))


def test_weights_are_repetitions_and_clusters_undo_them() -> None:
    """A row of weight 3 counts as a cluster of three copies of it."""
    one, other = models(1, 60)
    times = np.random.default_rng(2).integers(0, 4, 60)
    weighted = compare_paired(reference_losses=one, current_losses=other, sample_weights=times)
    rows = np.repeat(np.arange(60), times)
    copied = compare_paired(
        reference_losses=one[rows], current_losses=other[rows], cluster=[f"row {row}" for row in rows]
    )
    for name in ("difference", "standard_error", "p_value", "units", "weight", "worse_share"):
        assert getattr(weighted, name) == pytest.approx(getattr(copied, name), rel=1e-9)


def test_paired_intervals_hold_the_truth() -> None:
    """95 ± 1 % of 10 000 intervals of skewed differences hold their mean."""
    rng = np.random.default_rng(3)
    drawn = rng.exponential(size=(10_000, 200)) - 0.4 * rng.exponential(size=(10_000, 200))
    found = coverage(iter([(inferences(estimates(np.ones_like(drawn), drawn)),)]), 0.6)
    assert 0.94 <= found.inside <= 0.96


def test_infinite_losses_are_counted_apart() -> None:
    """Rows on which a loss is infinite are in no mean difference; more of them is worse."""
    one, other = models(4)
    more = compare_paired(
        reference_losses=[*one, np.inf, 1.0], current_losses=[*other, np.inf, np.inf], threshold=10
    )
    plain = compare_paired(reference_losses=one, current_losses=other, threshold=10)
    assert (more.reference_infinite, more.current_infinite) == (1, 2)
    assert (more.reference_loss, more.current_loss) == (np.inf, np.inf)
    assert more.difference == plain.difference
    assert (plain.verdict, more.verdict) == ("ok", "inconclusive")
    assert more.infinite_p_value == 0.5
    many = compare_paired(reference_losses=[*one, *[1.0] * 20], current_losses=[*other, *[np.inf] * 20])
    assert many.verdict == "worse"
    assert many.infinite_p_value == pytest.approx(2.0**-20)
    ids = list(range(320))
    assert (
        compare_paired(
            reference_losses=[*one, *[1.0] * 20], current_losses=[*one, *[np.inf] * 20], cluster=ids
        ).verdict
        == "inconclusive"
    )


def test_nothing_to_compare_has_a_reason() -> None:
    """Rows without weight, or all infinite, have no difference."""
    none = compare_paired(reference_losses=[1.0], current_losses=[2.0], sample_weights=[0.0])
    assert none.difference is none.reference_loss is none.worse_share is None
    assert none.verdict == "inconclusive"
    assert compare_paired(reference_losses=[np.inf], current_losses=[np.inf]).difference is None


def test_few_rows_say_how_many_would_do() -> None:
    """An undecided pair tells the rows that would decide it."""
    one, other = models(5, 40)
    found = compare_paired(
        reference_losses=one, current_losses=other, threshold=float(np.mean(other - one)) * 0.9
    )
    assert found.verdict == "inconclusive"
    assert (found.rows_needed or 0) > 40


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"current_losses": [1.0]}, "/current_losses"),
        ({"reference_losses": [1.0, np.nan]}, "/reference_losses/1"),
        ({"current_losses": [1.0, -np.inf]}, "/current_losses/1"),
        ({"sample_weights": [1.0, -1.0]}, "/sample_weights/1"),
        ({"cluster": ["a"]}, "/cluster"),
        ({"level": 2}, "/level"),
    ],
)
def test_what_cannot_be_compared_is_refused(said: dict[str, Any], path: str) -> None:
    """Lengths, losses, weights, clusters and options are checked, with their pointers."""
    with pytest.raises(InvalidInputError) as refused:
        compare_paired(**({"reference_losses": [1.0, 2.0], "current_losses": [1.0, 2.0]} | said))
    assert refused.value.problems[0].pointer == path
