"""/v1/calibrate and /v1/expect: whether a model is as sure as it is right."""

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

DIGITS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "digits.json").read_bytes())
BATCH = {"logits": DIGITS["logits"], "targets": DIGITS["targets"]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "vector"},
        {"bins": 5, "binning": "equal_mass", "class_weights": "balanced"},
        {"targets": [*DIGITS["targets"][:-1], -1], "ignore_index": -1},
    ],
    ids=lambda options: " ".join(options) or "none",
)
def test_calibration_is_the_engines(client: httpx2.Client, options: dict[str, Any]) -> None:
    """Every number of it, and the schema holds them."""
    answer = ask(client, "/v1/calibrate", **(BATCH | options))
    conforms(answer, "/v1/calibrate")
    assert answer == plain(engine.calibrate(**(BATCH | options)))
    assert answer["log_loss_after"] <= answer["log_loss_before"]


def test_the_temperature_is_one_for_score(client: httpx2.Client) -> None:
    """Sent to /v1/score it gives the loss that was promised, and a fit of the scaled logits finds nothing more."""
    found = ask(client, "/v1/calibrate", **BATCH)
    scored = ask(client, "/v1/score", **BATCH, temperature=found["temperature"], include=[])
    assert scored["loss"] == pytest.approx(found["log_loss_after"], rel=1e-12)
    scaled = (np.array(BATCH["logits"]) / found["temperature"]).tolist()
    again = ask(client, "/v1/calibrate", logits=scaled, targets=BATCH["targets"])
    assert again["temperature"] == pytest.approx(1, abs=1e-8)


def test_no_optimum(client: httpx2.Client) -> None:
    """Where every row is right, no temperature is the best, and that is the reason."""
    answer = ask(client, "/v1/calibrate", logits=[[1, 0], [0, 1]], targets=[0, 1])
    conforms(answer, "/v1/calibrate")
    assert "temperature" not in answer
    assert answer["undefined"]["temperature"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"targets": BATCH["targets"]},
        {
            "targets": BATCH["targets"],
            "belief_temperature": 1.2,
            "temperature": 0.9,
            "class_weights": "balanced",
        },
        {"losses": ["brier_score", {"name": "focal", "gamma": 0.5}, {"name": "poly1"}]},
        {"sample_weights": [0.5, 2.0, 1.0] * 199 + [0.0, 1.0]},
    ],
    ids=lambda options: " ".join(options) or "none",
)
def test_expectation_is_the_engines(client: httpx2.Client, options: dict[str, Any]) -> None:
    """Every number of it; realised losses and z come with the truth."""
    request = {"logits": BATCH["logits"]} | options
    answer = ask(client, "/v1/expect", **request)
    conforms(answer, "/v1/expect")
    assert answer["losses"] == plain(engine.expect(**request))
    assert all(("z" in loss) == ("targets" in options) for loss in answer["losses"].values())


def test_a_lie_has_a_large_z(client: httpx2.Client) -> None:
    """A model that is sure and wrong is further off than it can explain; one that was never in doubt, infinitely."""
    request: dict[str, Any] = {"probabilities": [[0.99, 0.01]] * 20, "targets": [1, 0] * 10}
    assert ask(client, "/v1/expect", **request)["losses"]["log_loss"]["z"] > 10
    certain = ask(client, "/v1/expect", probabilities=[[1, 0]], targets=[1], losses=["log_loss"])
    conforms(certain, "/v1/expect")
    assert certain["losses"]["log_loss"]["z"] == "Infinity"


def refused(path: str, name: str, *pointers: str, says: str = "", **fields: object) -> Case:
    """A request of two rows that is refused."""
    good = {"logits": [[1.0, 2.0], [0.5, 0.0]], "targets": [0, 1]}
    return Case(name, good | fields, path=path, pointers=pointers, says=says)


REFUSED = [
    refused("/v1/calibrate", "an unknown method", "/method", method="platt"),
    refused("/v1/calibrate", "a temperature of its own", "/temperature", temperature=2),
    refused("/v1/calibrate", "a class that is none", "/targets/0", targets=[2, 0]),
    Case("no truth to calibrate by", {"logits": [[1, 2]]}, path="/v1/calibrate", pointers=("/targets",)),
    refused(
        "/v1/expect", "an unknown loss", "/losses/1", losses=["log_loss", "focl"], says="did you mean focal?"
    ),
    refused(
        "/v1/expect", "a loss's wrong parameter", "/losses/0/gamma", losses=[{"name": "focal", "gamma": "2"}]
    ),
    refused("/v1/expect", "losses that are numbers", "/losses", losses=[1, 2]),
    refused("/v1/expect", "a single loss", "/losses", losses="focal"),
    refused("/v1/expect", "no belief", "/belief_temperature", belief_temperature=0),
    refused("/v1/expect", "a class that is none yet", "/targets/1", targets=[0, 2]),
    Case(
        "two wrong losses",
        {"logits": [[1, 2]], "losses": ["a", "focal", {}]},
        path="/v1/expect",
        pointers=("/losses/0", "/losses/2/name"),
    ),
    Case(
        "a scheme without truth",
        {"logits": [[1, 2]], "class_weights": "balanced"},
        path="/v1/expect",
        pointers=("/class_weights",),
    ),
    Case(
        "ignored rows without truth",
        {"logits": [[1, 2]], "ignore_index": 1},
        path="/v1/expect",
        pointers=("/ignore_index",),
    ),
    Case("nothing to expect from", {}, path="/v1/expect", pointers=("",)),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """What cannot be judged is refused with a pointer to it."""
    check(client, case)
