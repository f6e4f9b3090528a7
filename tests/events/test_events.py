"""Events as KServe writes them are paired, scored once, counted and reported on."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from events import kserve
from events.conftest import taking
from events.kserve import REQUEST, new, oip, reports, send, taken, tell, tensor, v1, waiting
from lossmeter import engine

if TYPE_CHECKING:
    import httpx2

P = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]], np.float32)
T = [0, 1, 1]


def series(client: httpx2.Client, model: str) -> dict[str, Any]:
    """The report on the one series of a model."""
    (found,) = reports(client, labels=json.dumps({"model": model}))
    return found


def test_a_pair_is_scored(place: str) -> None:
    """Request, response and truth become a loss in the report and in the metrics, which the engine has as well."""
    losses = engine.score(probabilities=P.astype(float), targets=T).losses
    assert losses is not None
    with taking(place) as client:
        id_ = new()
        assert taken(send(client, id_, b'{"instances": [[1], [2], [3]]}', REQUEST)) == {"waiting": 1}
        assert waiting(client) == {"requests": 1}
        assert taken(send(client, id_, v1(P))) == {"waiting": 1}
        assert waiting(client) == {"predictions": 1}
        assert tell(client, id_, T) == {"outcome": "scored", "rows": 3}
        assert waiting(client) == {}
        (found,) = reports(client)
        assert found["labels"] == {"component": "predictor", "model": "fraud", "namespace": "shop"}
        assert found["report"]["count"] == 3
        assert found["report"]["loss"] == pytest.approx(losses.mean(), rel=1e-15)
        metrics = client.get("/metrics").text
        assert (
            'lossmeter_rows_scored_total{loss="cross_entropy",model="fraud",slice="",version=""} 3.0'
            in metrics
        )
        (total,) = re.findall(r'lossmeter_loss_nats_total\{[^}]*model="fraud"[^}]*\} (\S+)', metrics)
        assert float(total) == pytest.approx(losses.sum())


def test_any_order_any_number_of_times(place: str) -> None:
    """However halves come, and however often, the states are the same bytes."""
    packed = []
    orders = (
        ["request", "response", "truth"],
        ["truth", "response", "request"],
        ["response", "truth", "request"],
    )
    with taking(place) as client:
        for number, order in enumerate(orders):
            model = {"Ce_Inferenceservicename": f"order{number}"}
            for id_, rows in ((f"a{number}", slice(0, 2)), (f"b{number}", slice(2, 3))):
                for half in [*order, *order, *reversed(order)]:
                    if half == "truth":
                        tell(client, id_, T[rows])
                    elif half == "request":
                        taken(send(client, id_, b"{}", REQUEST, **model))
                    else:
                        taken(send(client, id_, v1(P[rows]), **model))
        for number in range(len(orders)):
            labels = json.dumps({"model": f"order{number}"})
            (found,) = reports(client, labels=labels, include="state")
            packed.append(found["state"])
            assert found["report"]["count"] == 3
    assert len(set(packed)) == 1


def test_one_truth_for_a_model_and_its_shadow(sink: httpx2.Client) -> None:
    """Every model that was asked under an id is scored, whether it answered before the truth came or after."""
    id_ = new()
    taken(send(sink, id_, v1(P), Ce_Inferenceservicename="champion"))
    taken(send(sink, id_, v1(P[:, ::-1]), Ce_Inferenceservicename="shadow"))
    assert tell(sink, id_, T) == {"outcome": "scored", "rows": 6}
    assert taken(send(sink, id_, v1(P), Ce_Inferenceservicename="late")) == {"scored": 1, "rows": 3}
    assert series(sink, "champion")["report"]["metrics"]["accuracy"] == pytest.approx(2 / 3)
    assert series(sink, "shadow")["report"]["metrics"]["accuracy"] == 0
    assert series(sink, "late")["report"]["loss"] == series(sink, "champion")["report"]["loss"]


def test_labels_of_the_truth(sink: httpx2.Client) -> None:
    """They stand beside those of the model, in series and metrics."""
    id_ = new()
    taken(send(sink, id_, v1(P), Ce_Inferenceservicename="sliced"))
    tell(sink, id_, T, labels={"slice": "mobile", "version": "3"})
    (found,) = reports(sink, labels='{"slice": "mobile"}')
    assert found["labels"] | {"model": "sliced", "version": "3"} == found["labels"]
    assert 'model="sliced",slice="mobile",version="3"' in sink.get("/metrics").text


BINARY = kserve.binary(P)
MIXED = kserve.binary([[1, 2, 3]], "classes", "<i4", "INT32")


@pytest.mark.parametrize(
    "body",
    [
        v1(P),
        v1(P).replace(b" ", b"\n"),
        oip(tensor(P)),
        oip(tensor(P), {"name": "label", "shape": [3], "datatype": "BYTES", "data": ["a", "b", "c"]}),
        oip(BINARY[0], tail=BINARY[1]),
        oip(BINARY[0], MIXED[0], tail=BINARY[1] + MIXED[1]),
        oip({**BINARY[0], "name": 'a "{[ name\\'}, tail=BINARY[1]),
        oip(tensor(P.astype(float), datatype="FP64")),
        oip(kserve.binary(P, dtype="<f2", datatype="FP16")[0], tail=P.astype("<f2").tobytes()),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_bodies(sink: httpx2.Client, body: bytes, *, packed: bool) -> None:
    """V1 and OIP, in JSON, with binary tensors behind it, in gzip, and none of it said by a header."""
    id_ = new()
    sent = gzip.compress(body) if packed else body
    others = {"Ce_Inferenceservicename": id_, "Content_Type": "application/octet-stream"}
    assert taken(send(sink, id_, sent, **others)) == {"waiting": 1}
    assert tell(sink, id_, T)["outcome"] == "scored"
    wanted = engine.score(probabilities=P.astype(float), targets=T)
    assert series(sink, id_)["report"]["loss"] == pytest.approx(wanted.loss, rel=1e-6)


def test_what_the_numbers_are_is_said_in_the_address(sink: httpx2.Client) -> None:
    """Which output, what kind of numbers, one number per row: of one model, whatever the settings say of all."""
    logits = np.array([[3.0, -1.0], [0.0, 2.0]])
    body = oip(tensor(np.zeros((2, 7)), "embedding"), tensor(logits, "scores", "FP64"))
    taken(send(sink, "q1", body, query="?input=logits&output=scores", Ce_Inferenceservicename="q1"))
    tell(sink, "q1", [0, 0])
    assert series(sink, "q1")["report"]["loss"] == pytest.approx(
        engine.score(logits=logits, targets=[0, 0]).loss
    )
    rows = json.dumps(
        {"predictions": [{"p": [0.5, 0.5], "class": 1}, {"p": [0.25, 0.75], "class": 1}]}
    ).encode()
    taken(send(sink, "q2", rows, query="?output=p", Ce_Inferenceservicename="q2"))
    tell(sink, "q2", [0, 1])
    assert series(sink, "q2")["report"]["loss"] == pytest.approx((np.log(2) - np.log(0.75)) / 2)
    for id_, one in (("q3", [0.25, 0.75]), ("q4", [[0.25], [0.75]])):
        taken(send(sink, id_, v1(one), query="?binary=true", Ce_Inferenceservicename=id_))
        tell(sink, id_, [0, 1])
        assert series(sink, id_)["report"]["loss"] == pytest.approx(-np.log(0.75))


def test_the_truth_in_the_request(sink: httpx2.Client) -> None:
    """An input, or a member of V1, that is named as the truth is one."""
    inputs = {"inputs": [tensor(np.zeros((3, 4)), "x"), tensor(np.array(T), "y", "INT64")]}
    for id_, request in (("r1", inputs), ("r2", {"instances": [[1], [2], [3]], "y": T})):
        sent = json.dumps(request).encode()
        assert taken(send(sink, id_, sent, REQUEST, query="?targets=y")) == {"waiting": 1}
        assert taken(send(sink, id_, v1(P), Ce_Inferenceservicename="backtest")) == {"scored": 1, "rows": 3}
    without = json.dumps({"inputs": [tensor(np.zeros((3, 4)), "x")]}).encode()
    assert taken(send(sink, "r3", without, REQUEST, query="?targets=y")) == {"waiting": 1}


def test_seldon(sink: httpx2.Client) -> None:
    """Version 0.3, each event an id of its own, and one of the request."""
    others = {
        "Ce_Specversion": "0.3",
        "Ce_Requestid": "s1",
        "Ce_Modelid": "iris",
        "Ce_Inferenceservicename": "",
    }
    taken(send(sink, new(), b"{}", "io.seldon.serving.inference.request", **others))
    taken(send(sink, new(), v1(P), "io.seldon.serving.inference.response", **others))
    assert tell(sink, "s1", T)["outcome"] == "scored"
    assert series(sink, "iris")["report"]["count"] == 3


def test_other_types_are_passed_over(sink: httpx2.Client) -> None:
    """A broker would send what is refused again, for ever."""
    assert taken(send(sink, new(), b"\x00\x01", "io.seldon.serving.inference.outlier")) == {"passed_over": 1}
    assert taken(send(sink, new(), b"", "com.example.order")) == {"passed_over": 1}


def test_the_handshake(sink: httpx2.Client) -> None:
    """A sender that asks whether it may send is told so; whoever asks for something else is told what there is."""
    answer = sink.options("/v1/events", headers={"WebHook-Request-Origin": "broker.example"})
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "broker.example")
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    answer = sink.options("/v1/events")
    assert answer.status_code == 405
    assert {"GET", "HEAD", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_without_a_store(client: httpx2.Client) -> None:
    """Whoever sends is told what is not set."""
    for answer in (
        send(client, new(), v1(P)),
        client.get("/v1/events"),
        client.post("/v1/feedback", json={"id": "a", "targets": [0]}),
    ):
        assert answer.status_code == 404
        assert "LOSSMETER_EVENTS_STORE" in answer.json()["detail"]


def test_days(sink: httpx2.Client) -> None:
    """A period without rows has no series; one that begins today has."""
    id_ = new()
    taken(send(sink, id_, v1(P), Ce_Inferenceservicename="days"))
    tell(sink, id_, T)
    today = series(sink, "days")["until"]
    assert reports(sink, until="2020-01-31") == []
    labels = json.dumps({"model": "days"})
    assert len(reports(sink, since=today, until=today, labels=labels, metrics="log_loss", level="0.5")) == 1
    assert sink.get("/v1/events", params={"since": "yesterday"}).status_code == 422
    assert sink.get("/v1/events", params={"days": "7"}).status_code == 422


def test_states_are_compared(sink: httpx2.Client) -> None:
    """What the report gives, /v1/compare takes."""
    rng = np.random.default_rng(7)
    states = []
    for model, sharpness in (("good", 1.0), ("spoilt", 8.0)):
        logits = rng.normal(size=(400, 3))
        targets = [int(rng.choice(3, p=np.exp(row) / np.exp(row).sum())) for row in logits]
        id_ = new()
        others = {"Ce_Inferenceservicename": model}
        taken(send(sink, id_, v1(logits * sharpness), query="?input=logits", **others))
        tell(sink, id_, targets)
        (found,) = reports(sink, labels=json.dumps({"model": model}), include="state")
        states.append(found["state"])
    answer = sink.post("/v1/compare", json={"reference": states[0], "current": states[1]})
    assert answer.json()["verdict"] == "worse"


def test_the_client(sink: httpx2.Client) -> None:
    """The client of Python tells and reads, too."""
    from lossmeter.client import Client  # noqa: PLC0415 - the only test that needs it

    id_ = new()
    taken(send(sink, id_, v1(P), Ce_Inferenceservicename="client"))
    with Client(str(sink.base_url)) as client:
        assert client.feedback(id_, T, labels={"slice": "x"}).outcome == "scored"
        (found,) = client.events(labels={"model": "client"}, metrics=["accuracy"], include=["state"]).series
        assert client.report(found["state"]).count == 3


def test_beside_the_inference_protocol(sink: httpx2.Client) -> None:
    """/v2/events takes the same, and refuses in the form of its neighbours."""
    id_, body = new(), v1(P)
    answer = sink.post("/v2/events", content=body, headers=kserve.headers(id_, kserve.RESPONSE))
    assert taken(answer) == {"waiting": 1}
    assert tell(sink, id_, T) == {"outcome": "scored", "rows": 3}
    refused = sink.post("/v2/events", content=b"[", headers=kserve.headers(new(), kserve.RESPONSE))
    assert refused.status_code == 400
    assert refused.json().keys() == {"error"}
    hand = sink.options("/v2/events", headers={"WebHook-Request-Origin": "broker.example"})
    assert hand.headers["WebHook-Allowed-Origin"] == "broker.example"
    assert sink.get("/v2/events").status_code == 405
