"""The law: a state is that of the rows, however they were cut, ordered and merged, to the byte."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.state.shards import Batch, batches, cut
from lossmeter.engine import Moments, State, merge, report, score
from lossmeter.errors import InvalidInputError
from lossmeter.wire.json_encode import encode

RNG = np.random.default_rng(11)


def merged(states: list[State], data: st.DataObject) -> State:
    """In any grouping."""
    while len(states) > 1:
        take = data.draw(st.integers(2, len(states)))
        states = [*states[take:], merge(states[:take])]
    return merge(states)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_shards_merge_to_the_state_of_the_whole(data: st.DataObject) -> None:
    """Any loss, input, dtype, weights, slices and clusters; any cut, order and grouping: the same bytes."""
    batch = data.draw(batches())
    parts = cut(data, batch)
    whole = merged([batch.state(part) for part in parts], data)
    assert whole.pack() == batch.state().pack()


@pytest.mark.parametrize("classes", [3, 12, 70])
@pytest.mark.parametrize("lie", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["logits", "probabilities", "log_probabilities"])
def test_every_row_may_come_alone(form: str, dtype: type[Any], lie: Any, classes: int) -> None:  # noqa: ANN401
    """A row alone leaves what it leaves among others, in any memory order, whether its truth is shared or not."""
    rng = np.random.default_rng(46)
    log_p = np.log(rng.dirichlet(np.ones(classes), 200))
    sent = lie((np.exp(log_p) if form == "probabilities" else log_p).astype(dtype))
    truth = np.eye(classes)[rng.integers(0, classes, len(sent))]
    truth[::2] = rng.dirichlet(np.ones(classes), len(sent) // 2)
    for targets in (truth, rng.integers(0, classes, len(sent))):
        batch = Batch({form: sent, "targets": targets, "tolerance": 1e-3})
        alone = [batch.state(np.array([row])) for row in range(len(sent))]
        whole = score(**batch.arguments, include=["state"]).state
        assert whole is not None
        assert merge(alone).pack() == whole.pack()


@settings(max_examples=60, deadline=None)
@given(batches())
def test_a_state_survives_its_documents(batch: Batch) -> None:
    """What is written as JSON or as bytes comes back the same, and is written the same again."""
    state = batch.state()
    text = encode(state.document())
    assert State.unpack(state.pack()) == state
    assert State.read(json.loads(text)) == state
    assert encode(State.read(json.loads(text)).document()) == text


def test_the_whole_of_blocks_and_threads_is_that_of_one() -> None:
    """A batch of many blocks, scored by several threads, leaves the state of its quarters."""
    n, classes = 40_000, 8
    logits, targets = RNG.normal(size=(n, classes)), RNG.integers(0, classes, n)
    weights = RNG.random(n)

    def state(rows: slice, threads: int) -> State:
        scores = score(
            logits=logits[rows],
            targets=targets[rows],
            sample_weights=weights[rows],
            include=["state"],
            threads=threads,
        )
        assert scores.state is not None
        return scores.state

    parts = [state(slice(start, start + n // 4), 1) for start in range(0, n, n // 4)]
    assert merge(parts).pack() == state(slice(None), 3).pack()


def test_tiny_and_huge_losses_stay() -> None:
    """1e-18 is still there beside 1e300, whose cube no double would hold."""
    rows = np.array([[-1e-18, -41.4], [-1e300, 0.0], [-0.5, -0.93]])
    states = [
        score(log_probabilities=row[None], targets=[0], include=["state"], tolerance=1e-2).state
        for row in rows
    ]
    merged = merge([state for state in states if state is not None])
    losses = [*map(float, -rows[:, 0])]
    assert merged.moments.y == sum(map(Fraction, losses))
    assert float(merged.moments.yyy / Fraction(10) ** 900) == pytest.approx(1)
    assert merged.moments.mean == pytest.approx(1e300 / 3)
    assert merged.quantile(0) == pytest.approx(1e-18, rel=0.011)


def test_weights_of_one_are_no_weights() -> None:
    """Sent or not, weights of 1 leave the same bytes."""
    logits, targets = RNG.normal(size=(50, 4)), RNG.integers(0, 4, 50)
    said: dict[str, Any] = {"logits": logits, "targets": targets, "include": ["state"]}
    assert score(**said).state == score(**said, sample_weights=np.ones(50)).state


def test_one_hot_is_an_index() -> None:
    """The same truth leaves the same bytes in either form."""
    logits, targets = RNG.normal(size=(50, 4)), RNG.integers(0, 4, 50)
    states = [
        score(logits=logits, targets=each, include=["state"]).state for each in (targets, np.eye(4)[targets])
    ]
    assert states[0] == states[1]


def test_moments_are_those_of_the_rows() -> None:
    """Every sum of powers is that of the fractions of the products."""
    losses, weights = RNG.random(20) + 0.1, RNG.random(20)
    rows = np.stack([-losses, np.log(-np.expm1(-losses))], axis=1)
    scores = score(
        log_probabilities=rows,
        targets=np.zeros(20, int),
        sample_weights=weights,
        include=["losses", "state"],
    )
    assert scores.state is not None
    assert scores.losses is not None
    w, y = weights, scores.losses
    products = {"w": w, "y": y, "ww": w * w, "wy": w * y, "yy": y * y}
    products |= {"www": w * w * w, "wwy": w * w * y, "wyy": w * (y * y), "yyy": y * y * y}
    sums = {name: sum(map(Fraction, each.tolist()), Fraction()) for name, each in products.items()}
    assert scores.state.moments == Moments(20, 0, **sums)
    assert scores.state.moments.mean == pytest.approx(scores.loss)


def test_clusters_are_the_units() -> None:
    """With clusters the moments are those of the sums of each cluster."""
    logits, targets = RNG.normal(size=(12, 3)), RNG.integers(0, 3, 12)
    scores = score(logits=logits, targets=targets, cluster=["a", "b", "c"] * 4, include=["losses", "state"])
    assert scores.state is not None
    assert scores.losses is not None
    sums = scores.losses.reshape(4, 3).sum(axis=0)
    moments = scores.state.moments
    assert (moments.units, float(moments.ww)) == (3, 3 * 16)
    assert float(moments.yy) == pytest.approx((sums**2).sum())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loss": {"name": "focal", "gamma": 1.0}}, "loss"),
        ({"temperature": 2.0}, "temperature"),
        ({"class_weights": [1.0, 2.0, 3.0]}, "class_weights"),
        ({"bins": 10}, "bins"),
        ({"k": 2}, "k"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
        ({"epsilon": 0.1}, "epsilon"),
        ({"ignore_index": -1}, "ignore_index"),
        ({"cluster": [1, 2, 3, 4]}, "clustered"),
        ({"slices": {"day": ["mon"] * 4}}, "slices"),
        ({"logits": np.zeros((4, 5))}, "classes"),
    ],
)
def test_states_that_do_not_fit_are_refused(change: dict[str, Any], named: str) -> None:
    """The error names the option, and what it is in either state."""
    said: dict[str, Any] = {"logits": np.zeros((4, 3)), "targets": [0, 1, 2, 0], "include": ["state"]}
    states = [score(**said).state, score(**(said | change)).state]
    assert states[0] is not None
    assert states[1] is not None
    assert states[0].fingerprint != states[1].fingerprint
    with pytest.raises(InvalidInputError) as refused:
        merge([states[0], states[1]])
    problem = refused.value.problems[0]
    assert problem.path == ("states", 1, "options", named)
    assert json.dumps(states[0].options[named]) in problem.detail
    assert json.dumps(states[1].options[named]) in problem.detail


def test_nothing_is_no_state() -> None:
    """A merge of no states has no options, and is refused."""
    with pytest.raises(InvalidInputError, match="at least one state"):
        merge([])


@pytest.mark.parametrize("weights", ["balanced", {"scheme": "balanced"}])
def test_schemes_of_weights_are_refused(weights: Any) -> None:  # noqa: ANN401  what score takes
    """Weights that depend on the batch do not add up; without a state they are welcome."""
    said: dict[str, Any] = {"logits": np.eye(3), "targets": [0, 1, 2], "class_weights": weights}
    assert score(**said).state is None
    with pytest.raises(InvalidInputError, match="numbers are wanted with a state"):
        score(**said, include=["state"])


def test_weights_beyond_range_are_refused() -> None:
    """A weight whose square is no double has no place in a state."""
    with pytest.raises(InvalidInputError, match="2\\^900"):
        score(logits=np.eye(2), targets=[0, 1], sample_weights=[1, 1e300], include=["state"])


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-500, 2.0**-250, 2.0**700])
def test_the_scale_of_weights_does_not_matter(scale: float) -> None:
    """Cubes of weights would be 0 or infinite as doubles; the state is read, and reported on, as any other."""
    logits, targets, weights = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40), RNG.integers(1, 9, 40) / 8
    found, wanted = (
        score(logits=logits, targets=targets, sample_weights=weights * each, include=["state"]).state
        for each in (scale, 1.0)
    )
    assert found is not None
    assert wanted is not None
    assert State.unpack(found.pack()) == found
    assert report(found).interval == report(wanted).interval
