from __future__ import annotations

import numpy as np
import pytest

from lossmeter.engine.comparison.estimate import from_units
from lossmeter.engine.comparison.inference import Inference, of_difference, of_pooled_difference
from lossmeter.engine.comparison.verdict import judged


def windows(shift: float, n: int = 400) -> Inference:
    """Two windows of exponential losses, the second ``shift`` worse."""
    rng = np.random.default_rng(5)
    one, other = (from_units(np.ones(n), rng.exponential(1, n) + each) for each in (0.0, shift))
    assert one is not None
    assert other is not None
    return of_difference(one, other)


@pytest.mark.parametrize(("shift", "word"), [(1.0, "worse"), (-1.0, "ok"), (0.11, "inconclusive")])
def test_word_is_where_the_interval_lies(shift: float, word: str) -> None:
    """Above the threshold is worse, at or below it ok, on both sides inconclusive."""
    assert judged(windows(shift), 0.1, 0.95).word == word


def test_so_many_rows_settle_it_in_four_of_five_cases() -> None:
    """As many times the rows as was told give a verdict in 80 % of new samples with the same difference."""
    first = windows(0.1)
    verdict = judged(first, 0.0, 0.95)
    assert verdict.growth is not None
    n, rng, settled = round(400 * verdict.growth), np.random.default_rng(9), []
    for _ in range(400):
        one, other = (
            from_units(np.ones(n), rng.exponential(1, n)),
            from_units(np.ones(n), rng.exponential(1, n)),
        )
        assert one is not None
        assert other is not None
        moved = of_difference(one, other)
        shifted = Inference(
            moved.value + first.value, moved.error, moved.freedom, moved.first, moved.third, moved.skewness
        )
        settled.append(judged(shifted, 0.0, 0.95).word != "inconclusive")
    assert 0.65 <= np.mean(settled) <= 0.95  # the spread is an estimate itself


def test_no_number_of_rows_settles_what_lies_on_the_threshold() -> None:
    """A difference that equals the threshold stays undecided."""
    found = windows(0.1)
    verdict = judged(found, float(found.value), 0.95)
    assert (verdict.word, verdict.growth) == ("inconclusive", None)


def test_a_reference_that_met_no_rare_row_is_no_proof() -> None:
    """Eight wrong rows of 1000 after none of 100 are inconclusive: a hundred rows need not have met one."""
    rng = np.random.default_rng(6)
    losses = rng.exponential(0.02, 1100)
    one = from_units(np.ones(100), losses[:100])
    losses[100:108] += 3
    other = from_units(np.ones(1000), losses[100:])
    assert one is not None
    assert other is not None
    alone = of_difference(one, other)
    pooled = of_pooled_difference(one, other)
    assert judged(alone, 0.0, 0.6).word == "worse"
    assert judged(alone, 0.0, 0.6, pooled).word == "inconclusive"


def test_nothing_is_judged_without_rows() -> None:
    """Without weight there is no difference."""
    assert judged(None, 0.0, 0.95).word == "inconclusive"
