"""Slices: every value has its own numbers, and beyond a cap what is other does not depend on any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossmeter.engine import Slice, merge, score
from lossmeter.engine.state import State
from lossmeter.engine.state.layout import MOST_VALUES
from lossmeter.errors import InvalidInputError

RNG = np.random.default_rng(8)


def scored(n: int, regions: list[str], **options: Any) -> Any:  # noqa: ANN401  Scores
    """A batch with one dimension."""
    logits = RNG.normal(size=(n, 4))
    return score(
        logits=logits,
        targets=RNG.integers(0, 4, n),
        slices={"region": regions},
        include=["losses", "state"],
        **options,
    )


def test_a_slice_is_a_batch_of_its_own() -> None:
    """Its numbers are those of its rows, scored alone."""
    n, regions = 60, ["north", "south", "west"] * 20
    logits, targets = RNG.normal(size=(n, 4)), RNG.integers(0, 4, n)
    weights, chosen = RNG.random(n), np.arange(1, n, 3)
    south = score(
        logits=logits,
        targets=targets,
        sample_weights=weights,
        slices={"region": regions},
        k=2,
        include=["losses"],
    ).slices
    alone = score(
        logits=logits[chosen],
        targets=targets[chosen],
        sample_weights=weights[chosen],
        slices={"all": [""] * len(chosen)},
        k=2,
    )
    assert south is not None
    assert alone.slices is not None
    assert south["region"]["south"] == alone.slices["all"][""]
    assert south["region"]["south"].loss == pytest.approx(alone.loss)
    assert south["region"]["south"].count == 20


def test_numbers_of_a_slice() -> None:
    """Accuracy, confidence, Brier and log loss are means over the weight."""
    found = score(
        probabilities=[[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]],
        targets=[0, 2, 0],
        sample_weights=[1, 2, 0],
        slices={"x": ["a"] * 3},
        k=2,
    ).slices
    assert found is not None
    slice_ = found["x"]["a"]
    assert isinstance(slice_, Slice)
    assert (slice_.count, slice_.weight) == (3, 3)
    assert slice_.log_loss == pytest.approx((np.log(2) + 2 * np.log(10)) / 3)
    assert slice_.brier == pytest.approx((0.25 + 0.09 + 0.04 + 2 * (0.01 + 0.64 + 0.81)) / 3)
    assert [slice_.accuracy, slice_.top_k] == pytest.approx([1 / 3, 1 / 3])
    assert slice_.confidence == pytest.approx((0.5 + 2 * 0.8) / 3)
    assert slice_.moments.units == 2


def test_the_heaviest_values_are_shown() -> None:
    """Beyond 100 values the lightest are other, whatever the order in which shards come; a value of that name joins."""
    names = [f"r{number:03}" for number in range(110)] + ["other"]
    regions = [name for place, name in enumerate(names) for _ in range(place % 7 + 1)] + ["other"] * 20
    order = RNG.permutation(len(regions))
    states = [scored(len(part), [regions[row] for row in part]).state for part in np.array_split(order, 5)]
    whole, reverse = merge(states), merge([merge(states[3:]), *states[2::-1]])
    assert whole == reverse
    shown = whole.slices()["region"]
    assert shown == reverse.slices()["region"]
    assert len(shown) == 100
    kept = [found.count for name, found in shown.items() if name != "other"]
    assert kept == sorted(kept, reverse=True)
    assert sum(found.count for found in shown.values()) == len(regions)
    assert len(whole.slices(most=1000)["region"]) == 111


def test_values_of_ignored_rows_do_not_occur() -> None:
    """A value that only ignored rows have is no slice."""
    state = score(
        logits=np.eye(2), targets=[0, -1], ignore_index=-1, slices={"x": ["a", "b"]}, include=["state"]
    ).state
    assert state is not None
    assert list(state.slices()["x"]) == ["a"]
    assert state.ignored == 1


def test_a_batch_of_ignored_rows_has_a_state() -> None:
    """It counts them, and merges with others."""
    said: dict[str, Any] = {
        "logits": np.eye(2),
        "ignore_index": -1,
        "include": ["state"],
        "slices": {"x": ["a", "b"]},
    }
    empty, full = (score(**said, targets=targets).state for targets in ([-1, -1], [0, 1]))
    assert isinstance(empty, State)
    assert isinstance(full, State)
    whole = merge([empty, full])
    assert (whole.count, whole.ignored, empty.moments.mean, empty.quantile(0.5)) == (2, 2, 0, 0)
    assert State.unpack(empty.pack()) == empty
    evidence = empty.evidence()
    assert evidence is not None
    assert (evidence.weight, evidence.log_loss) == (0, 0)


@pytest.mark.parametrize(
    ("slices", "path"),
    [
        ({"x": ["a"]}, ("slices", "x")),
        ({"x": "ab"}, ("slices", "x")),
        ({"x": ["a", 1]}, ("slices", "x", 1)),
        ({"x": ["a", "b" * 201]}, ("slices", "x", 1)),
        ({"x": ["a", ["b"]]}, ("slices", "x")),
        ({"": ["a", "b"]}, ("slices",)),
        ({f"x{place}": ["a", "b"] for place in range(17)}, ("slices",)),
        ([["a", "b"]], ("slices",)),
    ],
)
def test_slices_that_are_none_are_refused(slices: Any, path: tuple[Any, ...]) -> None:  # noqa: ANN401  what score takes
    """The error points at the dimension, and at the row where there is one."""
    with pytest.raises(InvalidInputError) as refused:
        score(logits=np.eye(2), targets=[0, 1], slices=slices)
    assert refused.value.problems[0].path == path


@pytest.mark.parametrize(
    ("cluster", "path"),
    [([1], ("cluster",)), ("ab", ("cluster",)), ([1, None], ("cluster", 1)), ([1, []], ("cluster",))],
)
def test_clusters_that_are_none_are_refused(cluster: Any, path: tuple[Any, ...]) -> None:  # noqa: ANN401  what score takes
    """An id is a string or a number, one for each row."""
    with pytest.raises(InvalidInputError) as refused:
        score(logits=np.eye(2), targets=[0, 1], cluster=cluster, include=["state"])
    assert refused.value.problems[0].path == path


def test_more_values_than_a_state_holds_are_refused() -> None:
    """In one batch, and when states are merged."""
    n = MOST_VALUES // 2 + 1
    states = [scored(n, [f"{shard}-{row}" for row in range(n)]).state for shard in range(2)]
    with pytest.raises(InvalidInputError, match="at most 10000 different values"):
        merge(states)
    with pytest.raises(InvalidInputError, match="at most 10000 different values"):
        scored(2 * n, [str(row) for row in range(2 * n)])
    names = [str(row) for row in range(n)]
    with pytest.raises(InvalidInputError, match="of all dimensions"):
        score(logits=np.zeros((n, 2)), targets=[0] * n, slices={"x": names, "y": names})


@pytest.mark.parametrize(("name", "value"), [("bins", 0), ("bins", 1001), ("k", 0)])
def test_bins_and_k_are_in_range(name: str, value: int) -> None:
    """Others are refused by their name."""
    with pytest.raises(InvalidInputError) as refused:
        score(logits=np.eye(2), targets=[0, 1], include=["state"], **{name: value})  # type: ignore[arg-type]  # by name
    assert refused.value.problems[0].path == (name,)
