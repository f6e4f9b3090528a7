"""States over HTTP: what a scoring leaves behind, in both forms, adds up to the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from api.asking import ask
from api.conforming import DOCUMENT
from api.refusals import Case, check
from lossmeter import engine

if TYPE_CHECKING:
    import httpx2

RANDOM = np.random.default_rng(0)
ROWS = 60
BATCH: dict[str, Any] = {
    "logits": (3 * RANDOM.standard_normal((ROWS, 3))).tolist(),
    "targets": RANDOM.integers(3, size=ROWS).tolist(),
    "sample_weights": RANDOM.uniform(0, 2, ROWS).tolist(),
}
DEVICE = RANDOM.choice(["desk", "NaN", "Infinity", "[é"], ROWS).tolist()
"""Names that JSON's readers might take for something else."""


def shard(start: int, stop: int) -> dict[str, Any]:
    """Some of the rows."""
    return {name: rows[start:stop] for name, rows in BATCH.items()} | {
        "slices": {"device": DEVICE[start:stop]}
    }


def state(client: httpx2.Client, *, encoding: str = "json", **document: object) -> Any:  # noqa: ANN401 - either form
    """The state that a scoring leaves behind."""
    return ask(client, "/v1/score", **(document | {"include": ["state"]}), state_encoding=encoding)["state"]


def merged(client: httpx2.Client, states: list[Any], **document: object) -> Any:  # noqa: ANN401 - either form
    """The sum of states."""
    return ask(client, "/v1/merge", states=states, **document)["state"]


@pytest.mark.parametrize("encoding", ["json", "binary"])
def test_shards_add_up_to_the_whole(client: httpx2.Client, encoding: str) -> None:
    """In any order and grouping, and in either form, to the byte."""
    whole = state(client, encoding=encoding, **shard(0, ROWS))
    parts = [
        state(client, encoding=form, **shard(start, start + 20))
        for start, form in ((0, "json"), (20, "binary"), (40, encoding))
    ]
    assert merged(client, parts, state_encoding=encoding) == whole
    assert merged(client, parts[::-1], state_encoding=encoding) == whole
    grouped = merged(client, parts[1:], state_encoding="binary")
    assert merged(client, [grouped, parts[0]], state_encoding=encoding) == whole


def test_it_is_the_state_of_the_engine(client: httpx2.Client) -> None:
    """What is sent as JSON is read as the state that the engine makes."""
    ours = engine.score(**shard(0, ROWS), include=["state"]).state
    assert ours is not None
    sent = state(client, **shard(0, ROWS))
    assert sent["fingerprint"] == ours.fingerprint
    assert sent["slices"] == {"device": sorted(set(DEVICE))}
    assert sent["tables"]["total"]["digits"] == [
        plane.tolist() for plane in ours.document()["tables"]["total"]["digits"]
    ]


def test_without_slices(client: httpx2.Client) -> None:
    """A state whose lists are empty comes back as it went."""
    one = state(client, **BATCH)
    assert one["options"]["slices"] == []
    assert merged(client, [one]) == one


def test_binary_loss_with_a_parameter_per_label(client: httpx2.Client) -> None:
    """Lists of numbers among the options come back, too."""
    loss = {"name": "binary_cross_entropy", "pos_weight": [2, 3]}
    one = state(client, logits=[[0.5, -1], [2, 0]], targets=[[1, 0], [1, 1]], loss=loss, class_weights=[1, 2])
    assert merged(client, [one]) == one


def test_slices_of_the_answer(client: httpx2.Client) -> None:
    """Every value has its rows, and their means add up to the whole; units are the request's."""
    answer = ask(client, "/v1/score", **shard(0, ROWS), include=[], unit="bits")
    device = answer["slices"]["device"]
    assert set(device) == set(DEVICE)
    assert sum(found["count"] for found in device.values()) == ROWS
    weight = sum(found["weight"] for found in device.values())
    assert weight == pytest.approx(answer["denominator"])
    assert sum(found["weight"] * found["loss"] for found in device.values()) / weight == pytest.approx(
        answer["loss"]
    )
    assert all(found["log_loss"] == found["loss"] for found in device.values())


def test_clusters_may_be_strings_or_integers(client: httpx2.Client) -> None:
    """Both say the same, and count as fewer units than rows."""
    numbers = [row // 2 for row in range(ROWS)]
    one = state(client, **BATCH, cluster=numbers)
    assert one == state(client, **BATCH, cluster=[str(number) for number in numbers])
    assert one["options"]["clustered"] is True
    long = [f"{number:0300}" for number in numbers]
    assert one == state(client, **BATCH, cluster=long)
    schema = DOCUMENT["components"]["schemas"]["ScoreRequest"]["properties"]["cluster"]
    Draft202012Validator(schema).validate(long)
    assert one != state(client, **BATCH)


def test_many_strings(client: httpx2.Client) -> None:
    """A hundred thousand rows with two columns of names are one request."""
    n = 100_000
    region, user = [f"region {row % 7}" for row in range(n)], [f"user {row % 50_000}" for row in range(n)]
    answer = ask(
        client,
        "/v1/score",
        logits=[[1, 0]] * n,
        targets=[0] * n,
        slices={"region": region, "again": region},
        cluster=user,
        include=["state"],
    )
    assert {name: found["count"] for name, found in answer["slices"]["region"].items()} == {
        f"region {place}": len(range(place, n, 7)) for place in range(7)
    }


def scored(**fields: object) -> dict[str, Any]:
    """A request to /v1/score of two rows, with some fields set otherwise."""
    return {"logits": [[1.0, 2.0], [0.5, 0.0]], "targets": [0, 1], "include": ["state"]} | fields


STATE: dict[str, Any] = json.loads(
    json.dumps(
        engine.score(logits=[[1.0, 2.0]], targets=[0], include=["state"]).state.document(),  # type: ignore[union-attr]
        default=lambda array: array.tolist(),
    )
)


def merging(name: str, *states: object, at: str, says: str = "") -> Case:
    """A merge that is refused."""
    return Case(name, {"states": states}, path="/v1/merge", pointers=(at,), says=says)


def changed(*path: str, to: object) -> dict[str, Any]:
    """A state of which one part is another."""
    document: dict[str, Any] = json.loads(json.dumps(STATE))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return document


REFUSED = [
    Case("a slice that is a number", scored(slices={"region": ["a", 1]}), pointers=("/slices/region/1",)),
    Case("slices of numbers", scored(slices={"region": [1, 2]}), pointers=("/slices/region/0", "/slices/region/1")),
    Case("slices of rows", scored(slices={"region": [[1], [2]]}), pointers=("/slices/region",)),
    Case("a slice too few", scored(slices={"region": ["a"]}), pointers=("/slices/region",), says="2"),
    Case("no slices", scored(slices={"region": []}), pointers=("/slices/region",)),
    Case("a long slice", scored(slices={"region": ["a", "b" * 201]}), pointers=("/slices/region/1",)),
    Case("a dimension without a name", scored(slices={"": ["a", "b"]}), pointers=("/slices",)),
    Case(
        "many dimensions", scored(slices={str(at): ["a", "b"] for at in range(17)}), pointers=("/slices",), says="16"
    ),
    Case("slices that are no object", scored(slices=["a", "b"]), pointers=("/slices",)),
    Case("half a cluster", scored(cluster=[1, 0.5]), pointers=("/cluster/1",)),
    Case("a cluster beyond doubles", scored(cluster=[1, 2**53 + 2]), pointers=("/cluster/1",), says="strings"),
    Case("clusters of both kinds", scored(cluster=["a", 1]), pointers=("/cluster/1",)),
    Case("a cluster too few", scored(cluster=[1]), pointers=("/cluster",)),
    Case("no bins", scored(bins=0), pointers=("/bins",)),
    Case("many bins", scored(bins=1001), pointers=("/bins",)),
    Case("half a k", scored(k=1.5), pointers=("/k",)),
    Case("an unknown encoding", scored(state_encoding="base64"), pointers=("/state_encoding",)),
    Case(
        "weights that every shard would have others of",
        scored(class_weights="balanced"),
        pointers=("/class_weights",),
    ),
    Case("no states", {}, path="/v1/merge", pointers=("/states",), says="required"),
    merging("an empty list of states", at="/states", says="at least one"),
    merging("states that are numbers", 1, 2, at="/states"),
    merging("a state that is null", STATE, None, at="/states/1"),
    merging("a state that is no base64", "%", at="/states/0", says="base64"),
    merging("a state that is no ASCII", "é", at="/states/0", says="base64"),
    merging("a state of other bytes", "AAAA", at="/states/0"),
    merging("a state of another version", STATE, changed("version", to=2), at="/states/1/version"),
    merging("a state that was touched", changed("options", "bins", to=16), at="/states/0/fingerprint"),
    merging("a state without options", changed("options", to=[]), at="/states/0/options"),
    merging(
        "a digit beyond 32 bits",
        changed("tables", "losses", "digits", to=[[2**32]]),
        at="/states/0/tables/losses/digits/0",
    ),
    Case(
        "two wrong states",
        {"states": ["%", STATE, {}]},
        path="/v1/merge",
        pointers=("/states/0", "/states/2/version"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """What is wrong with slices, clusters and states is said where it is."""
    check(client, case)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("loss", "focal"),
        ("temperature", 2),
        ("label_smoothing", 0.1),
        ("bins", 10),
        ("k", 1),
        ("ignore_index", 7),
        ("slices", {"region": ["a", "b"]}),
        ("cluster", [1, 2]),
    ],
)
def test_states_of_different_options_are_not_added(client: httpx2.Client, option: str, value: object) -> None:
    """The refusal names the option and both values."""
    one, other = state(client, **scored()), state(client, **scored(**{option: value}))
    name = "clustered" if option == "cluster" else option
    case = merging(option, one, other, at=f"/states/1/options/{name}", says=f"states of the same {name}")
    check(client, case)
