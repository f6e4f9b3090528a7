from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.comparison.windows import window
from lossmeter.engine import score
from lossmeter.engine.comparison import compare
from lossmeter.engine.comparison.culprits import MOST_SLICES, holm
from lossmeter.engine.state import merge
from lossmeter.errors import InvalidInputError


def state_of(losses: list[float], **said: Any) -> Any:  # noqa: ANN401  options of score; a state
    """The state of rows of two classes whose truth costs this much."""
    p = np.exp(-np.array(losses))
    asked: dict[str, Any] = {"log_probabilities": np.stack([-np.array(losses), np.log1p(-p)], axis=1)}
    return score(**asked, targets=[0] * len(losses), include=["state"], **said).state


def test_a_blind_slice_is_found() -> None:
    """The region in which the model is blind is the first of all slices, and the change is within it."""
    found = compare(window(0), window(1, fault="west"))
    assert found.verdict == "worse"
    culprit = found.slices[0]
    assert (culprit.dimension, culprit.value) == ("region", "west")
    assert culprit.adjusted_p_value is not None
    assert culprit.adjusted_p_value < 1e-6
    assert culprit.within > 0.7 * culprit.contribution > 0
    others = [each for each in found.slices if each.dimension == "region" and each.value != "west"]
    assert all((each.adjusted_p_value or 0) > 0.05 for each in others)


def test_other_rows_are_told_from_a_worse_model() -> None:
    """Where the rows come from elsewhere, the mix of regions takes the blame, not what is within them."""
    found = compare(window(2, 20_000), window(3, 20_000, shift=True))
    split = found.split["region"]
    assert abs(split.mix) > 5 * abs(split.within)


@pytest.mark.parametrize(
    "said", [{}, {"sample_weights": np.linspace(0, 3, 2000)}, {"class_weights": [1, 3, 0.1]}]
)
def test_parts_add_up(said: dict[str, Any]) -> None:
    """Of every dimension, and of the true classes, the parts are the difference to the last digit."""
    found = compare(window(4, **said), window(5, fault="north", **said))
    assert found.label_shift is not None
    assert found.difference is not None
    for split in [*found.split.values(), found.label_shift]:
        assert split.mix + split.label_shift + split.within + split.residual == pytest.approx(
            found.difference, rel=1e-15
        )
        assert abs(split.residual) <= 1e-15
    for dimension in ("region", "device"):
        added = sum(each.contribution for each in found.slices if each.dimension == dimension)
        assert added == pytest.approx(found.difference, rel=1e-12)


def test_merged_shards_compare_as_the_whole() -> None:
    """However the windows were cut, the comparison is the same, to the last digit."""
    first, second, reference = window(6), window(7), window(8)
    one, other = compare(reference, merge([first, second])), compare(reference, merge([second, first]))
    assert (one.difference, one.interval, one.p_value) == (other.difference, other.interval, other.p_value)


def test_difference_of_a_state_with_itself_is_nothing() -> None:
    """Nothing differs, nothing drifts, nothing contributes."""
    state = window(9)
    found = compare(state, state)
    assert (found.difference, found.p_value, found.verdict) == (0.0, 1.0, "inconclusive")
    assert found.rows_needed is None
    assert all(each.psi == each.jensen_shannon == 0 for each in found.drift.values())
    assert all(each.contribution == 0 for each in found.slices)


def test_losses_are_compared_as_welch_would() -> None:
    """With the skewness taken out the interval is near SciPy's, and the standard error is the same."""
    rng = np.random.default_rng(10)
    one, other = rng.gamma(9, 0.1, 900).tolist(), rng.gamma(9, 0.12, 700).tolist()
    found = compare(state_of(one), state_of(other))
    theirs = stats.ttest_ind(other, one, equal_var=False)
    assert found.standard_error == pytest.approx(theirs._standard_error, rel=1e-9)  # noqa: SLF001  told nowhere else
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=0.02)


def test_threshold_is_how_much_worse_is_too_much() -> None:
    """A difference below the threshold is ok, above it worse, about it inconclusive with the rows it would take."""
    reference, current = window(11), window(12, fault="west")
    difference = compare(reference, current).difference or 0
    words = [
        compare(reference, current, threshold=difference * factor).verdict for factor in (0.1, 0.98, 3.0)
    ]
    assert words == ["worse", "inconclusive", "ok"]
    assert (compare(reference, current, threshold=difference * 0.98).rows_needed or 0) > 2000


def test_clusters_widen_the_interval() -> None:
    """Rows that come five times each are no more than a fifth of them."""
    losses = np.random.default_rng(13).exponential(size=300)
    plain = compare(state_of(losses.tolist()), state_of((losses[::-1] * 1.01).tolist()))
    five = np.repeat(losses, 5).tolist()
    clustered = state_of(five, cluster=np.repeat(np.arange(300), 5).tolist())
    found = compare(
        clustered,
        state_of((np.repeat(losses[::-1] * 1.01, 5)).tolist(), cluster=np.repeat(np.arange(300), 5).tolist()),
    )
    assert found.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
    assert found.reference.units == 300
    assert (compare(state_of(five), state_of(five)).standard_error or 0) < 0.5 * (plain.standard_error or 0)


def test_infinite_losses_are_said_and_tested() -> None:
    """Means with infinite losses have no difference: the finite part is compared, and the counts are."""
    rng = np.random.default_rng(14)
    finite = rng.exponential(size=400).tolist()
    clean, dirty = state_of(finite), state_of([*finite, *[np.inf] * 12])
    found = compare(clean, dirty)
    assert (found.reference.infinite, found.current.infinite) == (0, 12)
    assert found.current.loss == np.inf
    assert found.difference == 0
    assert found.verdict == "worse"
    assert "12 now are infinite" in found.reason
    assert "infinite" in found.undefined["split"]
    some = compare(state_of([*finite, np.inf]), state_of([*finite, np.inf, np.inf]))
    assert some.verdict == "inconclusive"
    assert some.infinite_p_value == pytest.approx(0.5, abs=0.02)
    worse = compare(state_of([*finite, np.inf]), state_of([*(np.array(finite) * 2), np.inf]))
    assert worse.verdict == "worse"
    ids = list(range(401))
    assert compare(state_of([*finite, np.inf], cluster=ids), clean).infinite_p_value is None


def test_windows_without_rows_have_reasons() -> None:
    """A window of which every row is ignored has no loss, and says why nothing can be told."""
    empty = window(15, 4, targets=[-1] * 4, ignore_index=-1)
    full = window(16, 50, ignore_index=-1)
    found = compare(full, empty)
    assert (found.current.loss, found.difference, found.interval, found.p_value) == (None,) * 4
    assert found.verdict == "inconclusive"
    assert {"split", "drift.true", "drift.forecast", "drift.predicted"} <= set(found.undefined)


def test_soft_truths_have_no_predicted_mix() -> None:
    """Truths that are shared are compared by loss and by mix of shares; what is not kept is named."""
    soft = np.full((50, 3), 1 / 3)
    soft[:20] = [1, 0, 0]
    found = compare(window(17, 50, targets=soft), window(18, 50, targets=soft))
    parts = found.split["device"]
    assert parts.mix + parts.label_shift + parts.within == pytest.approx(found.difference, rel=1e-12)
    assert set(found.drift) == {"forecast", "true"}
    assert found.drift["true"].psi == pytest.approx(0, abs=1e-20)
    assert "soft" in found.undefined["drift.predicted"]


def test_labels_are_compared_by_slice_but_have_no_classes() -> None:
    """Float[n, labels] has losses and slices; mixes of classes are undefined, with the reason."""
    truth = np.random.default_rng(19).integers(0, 2, (500, 3))
    said: dict[str, Any] = {"loss": "binary_cross_entropy", "targets": truth}
    found = compare(window(20, 500, **said), window(21, 500, **said))
    assert found.label_shift is None
    assert found.drift == {}
    assert found.split["region"].label_shift == 0
    assert len(found.slices) == 5


def test_slices_of_one_window_alone_are_told() -> None:
    """A value that is new is all mix; a dimension that only one state has is named."""
    plain = {"region": ["a", "b"] * 25}
    found = compare(window(22, 50, slices=plain), window(23, 50, slices={"region": ["a", "c"] * 25}))
    alone = {each.value: each.caution for each in found.slices}
    assert "one window alone" in (alone["b"] or "")
    assert "one window alone" in (alone["c"] or "")
    other = compare(window(22, 50, slices=plain), window(23, 50, slices={"kind": ["a", "c"] * 25}))
    assert "no such slices" in other.undefined["split.region"]


def test_many_slices_are_cut_off_but_all_are_counted() -> None:
    """The worst hundred are told, with p-values that have regard to all."""
    ids = {"user": [f"{each:03d}" for each in range(500)] * 12}
    found = compare(window(30, 6000, slices=ids), window(31, 6000, slices=ids))
    assert len(found.slices) == MOST_SLICES
    contributions = [each.contribution for each in found.slices]
    assert contributions == sorted(contributions, reverse=True)
    assert all((each.adjusted_p_value or 1) >= min(1.0, 400 * (each.p_value or 0)) for each in found.slices)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(0, 5))
def test_adjusted_p_values_are_those_of_the_definition(p_values: list[float], more: int) -> None:
    """Holm's: the largest multiple so far, in order of p; hypotheses that were not tested count as well."""
    whole = len(p_values) + more
    adjusted = holm(p_values, whole)
    ranked = sorted(p_values)
    for p_value, each in zip(p_values, adjusted, strict=True):
        upto = ranked[: ranked.index(p_value) + 1]
        least = max(min(1.0, (whole - rank) * other) for rank, other in enumerate(upto))
        assert each >= least
        assert each == pytest.approx(least) or ranked.count(p_value) > 1
    assert all(p <= each for p, each in zip(p_values, adjusted, strict=True))


@pytest.mark.parametrize(
    "said", [{"label_smoothing": 0.1}, {"loss": {"name": "focal", "gamma": 3}}, {"class_weights": [1, 2, 3]}]
)
def test_states_of_different_losses_are_refused(said: dict[str, Any]) -> None:
    """What is not alike is named, with its path."""
    with pytest.raises(InvalidInputError) as refused:
        compare(window(24, 50), window(25, 50, **said))
    assert refused.value.problems[0].path == ("current", "options", next(iter(said)))


def test_models_of_different_temperature_are_compared() -> None:
    """A temperature belongs to the model: it is what two of them may differ in."""
    assert compare(window(26, 50), window(26, 50, temperature=2.0)).difference is not None


@pytest.mark.parametrize(
    "said", [{"level": 0.0}, {"level": 1.0}, {"threshold": np.nan}, {"threshold": np.inf}]
)
def test_options_out_of_range_are_refused(said: dict[str, float]) -> None:
    """A level is between a half and 1, a threshold finite."""
    with pytest.raises(InvalidInputError, match=next(iter(said))):
        compare(window(27, 50), window(28, 50), **said)
