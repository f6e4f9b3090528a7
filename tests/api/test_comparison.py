"""/v1/report and /v1/compare: what states say by themselves and beside each other, of a real classifier's week."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api.asking import ask, plain
from api.conforming import conforms
from api.refusals import Case, check
from lossmeter import engine

if TYPE_CHECKING:
    import httpx2

    from lossmeter.engine import State

WEEK: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "week.json").read_bytes())


def state_of(*days: str, **options: Any) -> State:  # noqa: ANN401 - options of score
    """What these days leave behind."""
    states = [engine.score(**WEEK[day], **options, include=["state"]).state for day in days]
    return engine.merge([state for state in states if state is not None])


def sent(state: State) -> Any:  # noqa: ANN401 - a JSON document
    """A state as it travels."""
    return plain(state.document())


BEFORE = state_of("Monday", "Tuesday", "Wednesday", "Thursday")
FRIDAY = state_of("Friday")


@pytest.mark.parametrize(
    "state",
    [
        FRIDAY,
        state_of("Friday", loss="focal", class_weights=[1.0] * 9 + [2.0]),
        state_of("Friday", cluster=[row // 3 for row in range(len(WEEK["Friday"]["targets"]))]),
    ],
    ids=["plain", "focal", "clustered"],
)
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_report_is_the_engines(client: httpx2.Client, state: State, level: float) -> None:
    """Every number of it, and the schema holds them."""
    answer = ask(client, "/v1/report", state=sent(state), level=level)
    conforms(answer, "/v1/report")
    assert answer == plain(engine.report(state, level=level))


def test_report_of_some_metrics(client: httpx2.Client) -> None:
    """Those that were asked for; one that needs every row says so."""
    answer = ask(client, "/v1/report", state=sent(FRIDAY), metrics=["accuracy", "roc_auc"])
    assert list(answer["metrics"]) == ["accuracy"]
    assert list(answer["undefined"]) == ["roc_auc"]


def test_report_is_what_the_rows_say(client: httpx2.Client) -> None:
    """Metrics of a state are those of its rows, but for rounding."""
    told = ask(client, "/v1/report", state=sent(FRIDAY))
    rows = ask(client, "/v1/metrics", **WEEK["Friday"])
    assert told["loss"] == pytest.approx(rows["metrics"]["log_loss"], rel=1e-12)
    assert told["metrics"]["confusion_matrix"] == rows["metrics"]["confusion_matrix"]
    for name in ("accuracy", "brier_score", "expected_calibration_error", "log_loss_skill"):
        assert told["metrics"][name] == pytest.approx(rows["metrics"][name], rel=1e-6), name
    assert told["slices"] == rows["slices"]


def test_report_of_labels_and_infinite_losses(client: httpx2.Client) -> None:
    """What cannot be told is left out, and why is said."""
    labels = engine.score(
        probabilities=[[0.5, 1.0], [0.25, 0.5]],
        targets=[[1, 0], [0, 1]],
        loss="binary_cross_entropy",
        slices={"device": ["desk", "mobile"]},
        include=["state"],
    ).state
    assert labels is not None
    answer = ask(client, "/v1/report", state=sent(labels))
    conforms(answer, "/v1/report")
    assert (answer["loss"], answer["infinite"], answer["metrics"]) == ("Infinity", 1, {})
    assert "accuracy" not in answer["slices"]["device"]["desk"]
    assert "labels" in answer["undefined"]["accuracy"]


def test_the_slice_is_found(client: httpx2.Client) -> None:
    """Friday was worse, and the kiosk is why."""
    answer = ask(client, "/v1/compare", reference=sent(BEFORE), current=sent(FRIDAY), threshold=0.05)
    conforms(answer, "/v1/compare")
    assert answer["verdict"] == "worse"
    first = answer["slices"][0]
    assert (first["dimension"], first["value"]) == ("device", "kiosk")
    assert first["adjusted_p_value"] < 0.001
    assert first["contribution"] > 0.9 * answer["difference"]
    parts = answer["split"]["device"]
    assert sum(parts.values()) == pytest.approx(answer["difference"], rel=1e-15)
    calm = ask(
        client, "/v1/compare", reference=sent(BEFORE), current=sent(state_of("Saturday")), threshold=0.1
    )
    assert calm["verdict"] == "ok"


@pytest.mark.parametrize("options", [{}, {"level": 0.8, "threshold": -0.5}])
def test_comparison_is_the_engines(client: httpx2.Client, options: dict[str, float]) -> None:
    """Every number of it."""
    answer = ask(client, "/v1/compare", reference=sent(BEFORE), current=sent(FRIDAY), **options)
    assert answer == plain(engine.compare(BEFORE, FRIDAY, **options))


def test_paired(client: httpx2.Client) -> None:
    """Losses of two models on the same rows, weighted and clustered, and infinite ones."""
    random = np.random.default_rng(0)
    before = random.exponential(size=200)
    after = before + random.normal(0.05, 0.1, 200)
    request: dict[str, Any] = {
        "reference_losses": before.tolist(),
        "current_losses": after.tolist(),
        "sample_weights": random.uniform(0.5, 2, 200).tolist(),
        "cluster": [f"user {row // 2}" for row in range(200)],
    }
    answer = ask(client, "/v1/compare", **request)
    conforms(answer, "/v1/compare")
    assert answer == plain(engine.compare_paired(**request))
    assert (answer["verdict"], answer["units"]) == ("worse", 100)
    endless = ask(client, "/v1/compare", **(request | {"current_losses": ["Infinity", *after[1:].tolist()]}))
    conforms(endless, "/v1/compare")
    assert (endless["current_loss"], endless["current_infinite"]) == ("Infinity", 1)


def test_a_threshold_that_no_number_of_rows_would_settle(client: httpx2.Client) -> None:
    """Where the difference is the threshold, but for rounding, no number of rows is told."""
    difference = ask(client, "/v1/compare", reference=sent(BEFORE), current=sent(FRIDAY))["difference"]
    answer = ask(
        client, "/v1/compare", reference=sent(BEFORE), current=sent(FRIDAY), threshold=difference + 1e-13
    )
    assert answer["verdict"] == "inconclusive"
    assert "rows_needed" not in answer


def comparing(name: str, *pointers: str, says: str = "", **fields: Any) -> Case:  # noqa: ANN401 - JSON values
    """A comparison that is refused."""
    return Case(name, fields, path="/v1/compare", pointers=pointers, says=says)


LOSSES: dict[str, Any] = {"reference_losses": [0.5, 1], "current_losses": [1, 2]}
STATES: dict[str, Any] = {"reference": sent(BEFORE), "current": sent(FRIDAY)}
REFUSED = [
    comparing("nothing", "", says="exactly one of reference, reference_losses"),
    comparing("no current state", "/reference", reference=sent(BEFORE), says="current"),
    comparing("no reference", "", "/current", current=sent(FRIDAY)),
    comparing("states and losses", "/reference_losses", **STATES, **LOSSES),
    comparing("a state beside losses", "/current", current=sent(FRIDAY), **LOSSES),
    comparing("weights of states", "/sample_weights", **STATES, sample_weights=[1], says="reference_losses"),
    comparing("clusters of states", "/cluster", **STATES, cluster=[1]),
    comparing("another length", "/current_losses", **(LOSSES | {"current_losses": [1]})),
    comparing("NaN", "/current_losses/1", **(LOSSES | {"current_losses": [1, "NaN"]})),
    comparing("a weight too few", "/sample_weights", **LOSSES, sample_weights=[1]),
    comparing("a cluster too few", "/cluster", **LOSSES, cluster=[1]),
    comparing("no level", "/level", **LOSSES, level=0.4),
    comparing("a level of 1", "/level", **LOSSES, level=1),
    comparing("an infinite threshold", "/threshold", **LOSSES, threshold="Infinity"),
    comparing("no state", "/reference", reference=1, current=sent(FRIDAY)),
    comparing(
        "another loss",
        "/current/options/loss",
        reference=sent(BEFORE),
        current=sent(state_of("Friday", loss="focal")),
        says="the same loss",
    ),
    Case("a report of nothing", {}, path="/v1/report", pointers=("/state",)),
    Case("a report of no state", {"state": {}}, path="/v1/report", pointers=("/state/version",)),
    Case(
        "a report of an unknown metric",
        {"state": sent(FRIDAY), "metrics": ["acuracy"]},
        path="/v1/report",
        pointers=("/metrics/0",),
    ),
    Case(
        "a report of no level", {"state": sent(FRIDAY), "level": 0}, path="/v1/report", pointers=("/level",)
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """What does not go together is refused with a pointer to it."""
    check(client, case)
