"""States that no rows have left behind: refused, or at least answered; and honest ones are never refused."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.engine import State, compare, merge, report, score
from lossmeter.errors import InvalidInputError

N = 30
RANDOM = np.random.default_rng(1)
SLICES = {"device": RANDOM.choice(["desk", "mobile", "kiosk"], N).tolist()}
BATCHES: dict[str, dict[str, Any]] = {
    "sliced": {"logits": RANDOM.standard_normal((N, 3)), "targets": RANDOM.integers(3, size=N), "slices": SLICES},
    "many classes": {"logits": RANDOM.standard_normal((N, 12)), "targets": RANDOM.integers(12, size=N)},
    "soft": {"logits": RANDOM.standard_normal((N, 3)), "targets": RANDOM.dirichlet(np.ones(3), N), "slices": SLICES},
    "binary": {
        "logits": RANDOM.standard_normal(N),
        "targets": RANDOM.integers(2, size=N),
        "loss": "binary_cross_entropy",
        "sample_weights": RANDOM.uniform(0, 1e9, N) * (RANDOM.random(N) > 0.2),
    },
    "labels": {
        "logits": RANDOM.standard_normal((N, 2)),
        "targets": RANDOM.integers(2, size=(N, 2)),
        "loss": "binary_focal",
        "slices": SLICES,
    },
    "infinite, in clusters": {
        "probabilities": np.eye(3)[RANDOM.integers(3, size=N)],
        "targets": RANDOM.integers(3, size=N),
        "cluster": RANDOM.integers(5, size=N),
        "slices": SLICES,
    },
    "all ignored": {"logits": [[0, 0]], "targets": [7], "ignore_index": 7},
}  # fmt: skip


def left_behind(name: str) -> State:
    """The state of a batch."""
    state = score(**BATCHES[name], include=["state"]).state
    assert state is not None
    return state


STATES = {name: left_behind(name) for name in BATCHES}


@pytest.mark.parametrize("name", BATCHES)
def test_honest_states_are_read(name: str) -> None:
    """What rows have left behind agrees with itself, also when it is added up."""
    state = STATES[name]
    assert State.read(state.document()) == state
    assert State.unpack(merge([state, state]).pack()) == merge([state, state])


@st.composite
def forged(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A state in which some numbers are others."""
    name = draw(st.sampled_from([name for name in BATCHES if name != "all ignored"]))
    document = copy.deepcopy(STATES[name].document())
    for _ in range(draw(st.integers(1, 3))):
        table = document["tables"][draw(st.sampled_from(sorted(document["tables"])))]
        match draw(st.sampled_from(["digit", "digit", "gap", "low", "plane"])):
            case "digit":
                plane = draw(st.sampled_from(table["digits"]))
                plane[draw(st.integers(0, len(plane) - 1))] = draw(
                    st.one_of(st.sampled_from([0, 1]), st.integers(0, 2**32 - 1))
                )
            case "gap":
                table["gaps"][draw(st.integers(0, len(table["gaps"]) - 1))] = draw(st.integers(0, 30))
            case "low":
                table["low"] = draw(st.integers(-160, 150))
            case "plane":
                table["digits"].append(np.full(len(table["digits"][0]), draw(st.integers(1, 2**32 - 1))))
    return name, document


@given(forged())
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forged_states_are_refused_or_answered(sent: tuple[str, dict[str, Any]]) -> None:
    """Nobody has to believe the numbers, but nothing fails."""
    name, document = sent
    try:
        state = State.read(document)
    except InvalidInputError:
        return
    report(state)
    merge([state, STATES[name], state])
    for pair in ((STATES[name], state), (state, STATES[name])):
        with suppress(InvalidInputError):
            compare(*pair)


def test_what_contradicts_is_named() -> None:
    """The refusal points at the table."""
    document = copy.deepcopy(STATES["sliced"].document())
    document["tables"]["groups"]["digits"][0][0] += 1
    with pytest.raises(InvalidInputError, match="/tables/groups: tables that agree") as refused:
        State.read(document)
    assert refused.value.problems[0].pointer == "/tables/groups"
