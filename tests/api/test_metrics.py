"""/v1/metrics: the numbers are the engine's, and what is undefined says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from api.asking import ask
from api.conforming import conforms
from api.refusals import Case, check
from lossmeter import engine
from lossmeter.engine import METRICS
from lossmeter.wire.json import encode

if TYPE_CHECKING:
    import httpx2

DIGITS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "digits.json").read_bytes())
BATCH = {"logits": DIGITS["logits"], "targets": DIGITS["targets"]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"binning": "equal_mass", "bins": 7},
        {"k": 2, "temperature": 1.5},
        {"class_weights": "balanced"},
        {"targets": [*DIGITS["targets"][:-1], -1], "ignore_index": -1},
    ],
    ids=lambda options: " ".join(options) or "none",
)
def test_numbers_are_the_engines(client: httpx2.Client, options: dict[str, Any]) -> None:
    """Every metric of a real classifier, to the last digit, and as the document describes them."""
    answer = ask(client, "/v1/metrics", **(BATCH | options))
    conforms(answer, "/v1/metrics")
    measured = engine.measure(**(BATCH | options))
    assert answer["metrics"] == json.loads(encode(measured.metrics))
    assert answer["undefined"] == measured.undefined
    assert (answer["count"], answer["ignored"]) == (measured.count, measured.ignored)
    assert answer["weight"] == measured.weight
    assert ("class_weights" in answer) == ("class_weights" in options)


def test_names_are_scikit_learns(client: httpx2.Client) -> None:
    """Of what scikit-learn calls by the same name, the numbers are the same."""
    answer = ask(client, "/v1/metrics", **BATCH)["metrics"]
    truth, logits = np.array(BATCH["targets"]), np.array(BATCH["logits"])
    predicted = logits.argmax(axis=1)
    assert answer["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    assert answer["f1"]["macro"] == pytest.approx(sklearn_metrics.f1_score(truth, predicted, average="macro"))
    assert answer["confusion_matrix"] == sklearn_metrics.confusion_matrix(truth, predicted).tolist()
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    area = sklearn_metrics.roc_auc_score(truth, probabilities, multi_class="ovr")
    assert answer["roc_auc"]["ovr_macro"] == pytest.approx(area)


def test_only_those_asked_for(client: httpx2.Client) -> None:
    """In the registry's order, however they were asked for; none is a choice, too."""
    asked = ["roc_auc", "accuracy"]
    assert list(ask(client, "/v1/metrics", **BATCH, metrics=asked)["metrics"]) == asked[::-1]
    assert ask(client, "/v1/metrics", **BATCH, metrics=[])["metrics"] == {}


def test_two_classes_as_one_number(client: httpx2.Client) -> None:
    """A probability of class 1 is the same as one of either class."""
    ones = [0.9, 0.25, 0.75, 0.5]
    both = [[1 - one, one] for one in ones]
    answers = [ask(client, "/v1/metrics", probabilities=sent, targets=[1, 0, 0, 1]) for sent in (ones, both)]
    assert answers[0] == answers[1]


def test_one_class_has_no_area(client: httpx2.Client) -> None:
    """What is not defined is named, with the reason; no NaN is without one."""
    answer = ask(client, "/v1/metrics", logits=[[1, 0], [2, 0]], targets=[0, 0])
    conforms(answer, "/v1/metrics")
    assert answer["metrics"]["accuracy"] == 1
    assert answer["metrics"]["roc_auc"]["ovr_macro"] == "NaN"
    assert answer["undefined"]["roc_auc.ovr_macro"] == "rows of at least two classes are needed"
    assert "recall.per_class.1" in answer["undefined"]


def test_all_ignored(client: httpx2.Client) -> None:
    """Nothing is left to measure, and every metric says so."""
    answer = ask(client, "/v1/metrics", logits=[["NaN", 0]], targets=[7], ignore_index=7)
    assert (answer["count"], answer["ignored"], answer["metrics"]) == (0, 1, {})
    assert set(answer["undefined"]) == set(METRICS)


def test_a_certain_miss_is_infinite(client: httpx2.Client) -> None:
    """An infinite loss is the string of the proto3 mapping."""
    answer = ask(client, "/v1/metrics", probabilities=[[1, 0], [0.5, 0.5]], targets=[1, 0])
    conforms(answer, "/v1/metrics")
    assert answer["metrics"]["log_loss"] == "Infinity"
    assert answer["metrics"]["perplexity"] == "Infinity"


def test_soft_truth(client: httpx2.Client) -> None:
    """Metrics of true classes say why they have no value where the truth is shared."""
    answer = ask(client, "/v1/metrics", logits=[[1, 0], [0, 0]], targets=[[0.5, 0.5], [1, 0]])
    conforms(answer, "/v1/metrics")
    assert {"log_loss", "brier_score"} <= set(answer["metrics"])
    assert "accuracy" in answer["undefined"]


def test_state_and_slices(client: httpx2.Client) -> None:
    """Measuring leaves the state of the log loss behind that scoring leaves, and knows the slices."""
    device = ["desk", "mobile", "kiosk"] * 200
    sent = BATCH | {"slices": {"device": device[: len(BATCH["targets"])]}, "include": ["state"], "bins": 10}
    measured, scored = ask(client, "/v1/metrics", **sent, metrics=[]), ask(client, "/v1/score", **sent)
    conforms(measured, "/v1/metrics")
    conforms(scored, "/v1/score")
    assert measured["state"] == scored["state"]
    assert measured["slices"] == scored["slices"]
    assert set(measured["slices"]["device"]) == {"desk", "mobile", "kiosk"}


def test_catalogue(client: httpx2.Client) -> None:
    """Every metric is told, in the order of the alphabet."""
    response = client.get("/v1/metrics")
    conforms(response.json(), "/v1/metrics", "get")
    found = response.json()["metrics"]
    assert [metric["name"] for metric in found] == sorted(METRICS)
    assert {metric["name"] for metric in found if not metric["additive"]} == {
        "average_precision",
        "classwise_calibration_error",
        "roc_auc",
    }


def measuring(name: str, *pointers: str, says: str = "", **fields: object) -> Case:
    """A request of two rows that is refused."""
    good = {"logits": [[1.0, 2.0], [0.5, 0.0]], "targets": [0, 1]}
    return Case(name, good | fields, path="/v1/metrics", pointers=pointers, says=says)


REFUSED = [
    measuring("an unknown metric", "/metrics/0", metrics=["acuracy"], says="did you mean accuracy?"),
    measuring("metrics that are no array", "/metrics", metrics="accuracy"),
    measuring("a loss", "/loss", loss="focal"),
    measuring("an unknown binning", "/binning", binning="width"),
    measuring("no bins", "/bins", bins=0),
    measuring("no k", "/k", k=0),
    measuring("another part", "/include/0", include=["losses"]),
    measuring("two inputs", "/probabilities", probabilities=[[1, 0], [0, 1]]),
    measuring("a class that is none", "/targets/1", targets=[0, 2]),
    measuring("a column too few", "/slices/region", slices={"region": ["a"]}),
    measuring("a temperature of probabilities", "/temperature", temperature=0),
    measuring("labels beside each other", "/targets/0", logits=[[1, 2]], targets=[[1, 1]]),
    Case("nothing", {}, path="/v1/metrics", pointers=("", "/targets")),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """What cannot be measured is refused with a pointer to it."""
    check(client, case)
