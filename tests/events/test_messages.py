"""Events of another producer, in every mode; and what is refused, how, and what never is."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.conforming import DOCUMENT, conforms
from events import kserve
from events.kserve import RESPONSE, new, oip, send, taken, tell, tensor, v1, waiting
from servers import PATIENCE, running

if TYPE_CHECKING:
    from pathlib import Path

P = [[0.75, 0.25], [0.5, 0.5]]

BATCH = "application/cloudevents-batch+json; charset=utf-8"


def event(id_: str, type_: str, data: object, **others: str) -> CloudEvent:
    """An event of the library of CloudEvents for Python."""
    attributes = {"id": id_, "source": "/tests", "type": type_, "datacontenttype": "application/json"}
    return CloudEvent({**attributes, **others}, data)  # type: ignore[arg-type]  # what JSON has


def feedback(id_: str, targets: list[int]) -> CloudEvent:
    """A truth as an event."""
    return event(new(), "io.lossmeter.feedback", {"id": id_, "targets": targets})


def batch(events: list[CloudEvent]) -> bytes:
    """An array of them, each as the library writes it."""
    return b"[" + b",".join(to_structured(each, JSONFormat()).body for each in events) + b"]"


def post(client: httpx2.Client, message: Any) -> httpx2.Response:  # noqa: ANN401 - the library's
    """Sends what the library made."""
    return client.post("/v1/events", headers=dict(message.headers), content=message.body)


@pytest.mark.parametrize("written", [to_binary, to_structured], ids=["binary", "structured"])
def test_the_library_of_cloudevents(sink: httpx2.Client, written: Any) -> None:  # noqa: ANN401 - one of the library's
    """What an independent producer writes is read."""
    id_ = new()
    response = event(id_, RESPONSE, {"predictions": P}, inferenceservicename="a model", namespace="größe")
    assert taken(post(sink, written(response, JSONFormat()))) == {"waiting": 1}
    answer = post(sink, written(feedback(id_, [0, 1]), JSONFormat()))
    assert taken(answer) == {"scored": 1, "rows": 2}
    conforms(answer.json(), "/v1/events")
    labels = json.dumps({"model": "a model", "namespace": "größe"})
    assert sink.get("/v1/events", params={"labels": labels}).json()["series"]


def test_a_batch(sink: httpx2.Client) -> None:
    """All that is right in it is taken; what is not is named, and is no reason to send all of it again."""
    ids = [new() for _ in range(5)]
    events = [
        *(event(id_, RESPONSE, {"predictions": P}) for id_ in ids),
        *(feedback(id_, [0, 1]) for id_ in ids[:4]),
        feedback(ids[4], [0]),
        event(new(), RESPONSE, {"predictions": [["a"]]}),
        event(new(), "com.example.other", None),
    ]
    answer = sink.post("/v1/events", content=batch(events), headers={"Content-Type": BATCH})
    assert taken(answer) | {"errors": []} == {
        "waiting": 5,
        "scored": 4,
        "refused": 2,
        "passed_over": 1,
        "rows": 8,
        "errors": [],
    }
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/9/data/targets",
        "/10/data/predictions/0/0",
    ]
    conforms(answer.json(), "/v1/events")
    assert 'lossmeter_events_total{outcome="passed_over"}' in sink.get("/metrics").text
    again = taken(sink.post("/v1/events", content=batch(events[:9]), headers={"Content-Type": BATCH}))
    assert again == {"duplicate": 9}
    assert taken(sink.post("/v1/events", content="[]", headers={"Content-Type": BATCH})) == {}


def test_many_pairs_at_once(sink: httpx2.Client) -> None:
    """What was scored is added to the states before there is much of it, and arrays leave the store."""
    ids = [new() for _ in range(300)]
    events = [event(id_, RESPONSE, {"predictions": P}, inferenceservicename="many") for id_ in ids]
    events += [feedback(id_, [0, 1]) for id_ in ids]
    answer = sink.post("/v1/events", content=batch(events), headers={"Content-Type": BATCH})
    assert taken(answer) == {"waiting": 300, "scored": 300, "rows": 600}
    (found,) = sink.get("/v1/events", params={"labels": '{"model": "many"}'}).json()["series"]
    assert found["report"]["count"] == 600
    assert found["report"]["loss"] == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)


def structured(**members: object) -> dict[str, object]:
    """An event in JSON."""
    return {"specversion": "1.0", "id": new(), "source": "x", "type": RESPONSE, **members}


def test_bytes_and_text_in_structured_mode(sink: httpx2.Client) -> None:
    """Binary tensors travel in base64; a document that a broker made text of is read."""
    described, tail = kserve.binary(P)
    for members in (
        {"data_base64": base64.b64encode(oip(described, tail=tail)).decode()},
        {"data_base64": base64.b64encode(gzip.compress(v1(P))).decode()},
        {"data": v1(P).decode(), "datacontenttype": "application/json"},
        {"data": json.loads(v1(P)), "time": None, "flag": True, "number": 3},
    ):
        sent = structured(**members)
        answer = sink.post("/v1/events", json=sent, headers={"Content-Type": "application/cloudevents+json"})
        assert taken(answer) == {"waiting": 1}
        assert tell(sink, str(sent["id"]), [0, 1])["outcome"] == "scored"


BAD = {
    "no event": ({"Content-Type": "application/json"}, b"{}", 400, "ce-specversion"),
    "no id": ({"Ce-Specversion": "1.0", "Ce-Source": "x", "Ce-Type": RESPONSE}, v1(P), 400, "ce-id"),
    "another version": (kserve.headers("x", Ce_Specversion="2.0"), v1(P), 400, "specversion"),
    "a long id": (kserve.headers("x" * 600), v1(P), 400, "512"),
    "a line break in an id": (kserve.headers("a%0Ab"), v1(P), 400, "printable"),
    "another format": ({"Content-Type": "application/cloudevents+avro"}, b"x", 415, "cloudevents+json"),
    "a list": ({"Content-Type": "application/cloudevents+json"}, b"[]", 400, "JSON object"),
    "numbers": ({"Content-Type": "application/cloudevents-batch+json"}, b"[1, 2]", 400, "CloudEvent"),
    "no base64": (
        {"Content-Type": "application/cloudevents+json"},
        json.dumps(structured(data_base64="ü")).encode(),
        400,
        "base64",
    ),
    "nothing": (kserve.headers("x"), b"", 400, "JSON object"),
    "no JSON": (kserve.headers("x"), b"{", 400, "line 1"),
    "no gzip": (kserve.headers("x"), b"\x1f\x8b rest", 400, "gzip"),
    "neither outputs nor predictions": (kserve.headers("x"), b'{"instances": []}', 422, "predictions"),
    "no tensors": (kserve.headers("x"), oip(), 400, "/outputs"),
    "classes": (kserve.headers("x"), v1([1, 0, 1]), 422, "LOSSMETER_EVENTS_BINARY"),
    "integers": (kserve.headers("x"), oip(tensor(P, datatype="INT64")), 422, "INT64"),
    "no such output": (kserve.headers("x"), oip(tensor(P)), 422, "none is called 'q'"),
    "three axes": (kserve.headers("x"), v1([P, P]), 422, "deeper than a row"),
    "logits": (kserve.headers("x"), v1([[3.0, -1.0]]), 422, "/data/0/0"),
    "too many bytes": (kserve.headers("x"), oip(kserve.binary(P)[0], tail=b"x" * 17), 400, "1 bytes follow"),
    "too few bytes": (kserve.headers("x"), oip(kserve.binary(P)[0], tail=b"x" * 15), 400, "15 are left"),
    "an open document": (kserve.headers("x"), oip(kserve.binary(P)[0])[:-2], 400, "does not end"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(sink: httpx2.Client, name: str) -> None:
    """Each says what is wrong, and leaves nothing behind."""
    headers, body, status, words = BAD[name]
    before = waiting(sink)
    path = "/v1/events" + ("?output=q" if name == "no such output" else "")
    answer = sink.post(path, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in answer.text
    assert waiting(sink) == before


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"targets": [0]}, "/id"),
        ({"id": "", "targets": [0]}, "/id"),
        ({"id": "a\n", "targets": [0]}, "/id"),
        ({"id": "a"}, "/targets"),
        ({"id": "a", "targets": [-1]}, "/targets/0"),
        ({"id": "a", "targets": [[0.5, "NaN"]]}, "/targets/0/1"),
        ({"id": "a", "targets": []}, "/targets"),
        ({"id": "a", "targets": [2.5]}, "/targets/0"),
        ({"id": "a", "targets": [2, 0.5, 3]}, "/targets/1"),
        ({"id": "a", "targets": [[2.0]]}, "/targets/0/0"),
        ({"id": "a", "targets": [[0.5, 0.5], [0.5, 1.5]]}, "/targets/1/1"),
        ({"id": "a", "targets": [[0.5, 0.5], [0.5, 0.6]]}, "/targets/1"),
        ({"id": "a", "targets": [0], "label": {}}, "/label"),
    ],
)
def test_truths_that_are_refused(sink: httpx2.Client, document: dict[str, object], pointer: str) -> None:
    """By the pointer of what is wrong; as an event below its data."""
    answer = sink.post("/v1/feedback", json=document)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    sent = structured(type="io.lossmeter.feedback", data=document)
    answer = sink.post("/v1/events", json=sent, headers={"Content-Type": "application/cloudevents+json"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/data" + pointer)


def test_a_truth_that_does_not_fit(sink: httpx2.Client) -> None:
    """It is refused while it can be said to whoever told it; one that came first makes way for another."""
    id_ = new()
    taken(send(sink, id_, v1(P)))
    for targets in ([0], [0, 5], [[1, 0, 0], [0, 1, 0]]):
        answer = sink.post("/v1/feedback", json={"id": id_, "targets": targets})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"].startswith("/targets")
    assert tell(sink, id_, [0, 1])["outcome"] == "scored"
    answer = sink.post("/v1/feedback", json={"id": id_, "targets": [1, 1]})
    assert (answer.status_code, "the first one holds" in answer.text) == (422, True)
    early = new()
    assert tell(sink, early, [0])["outcome"] == "waiting"
    assert tell(sink, early, [1])["outcome"] == "waiting"
    assert taken(send(sink, early, v1(P))) == {"waiting": 1}
    assert tell(sink, early, [0, 1])["outcome"] == "scored"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
NAMES = ("specversion", "id", "source", "type", "data", "data_base64", "requestid")
WORDS = st.sampled_from(["1.0", RESPONSE, kserve.REQUEST, "io.lossmeter.feedback", "outputs", "x"])
MEMBERS = st.dictionaries(
    st.sampled_from(
        ["outputs", "predictions", "id", "targets", "inputs", "name", "shape", "datatype", "data"]
    ),
    VALUES,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(st.sampled_from(NAMES), VALUES | WORDS | MEMBERS), many=st.booleans())
@example(document={"specversion": "1.0", "id": "\ud800", "source": "x", "type": RESPONSE}, many=False)
@example(document={"specversion": "1.0", "id": "a\u0000b", "source": "x", "type": RESPONSE}, many=True)
def test_documents_are_never_a_failure(sink: httpx2.Client, document: dict[str, Any], *, many: bool) -> None:
    """Whatever JSON comes is taken or refused."""
    whole = {"specversion": "1.0", "id": new(), "source": "x", "type": RESPONSE} | document
    body = json.dumps([whole, document] if many else whole)
    media_type = BATCH if many else "application/cloudevents+json"
    assert sink.post("/v1/events", content=body, headers={"Content-Type": media_type}).status_code < 500


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_are_never_a_failure(sink: httpx2.Client, data: st.DataObject) -> None:
    """Bodies with bytes changed, cut off or added are taken or refused."""
    described, tail = kserve.binary(P)
    body = bytearray(
        data.draw(st.sampled_from([v1(P), oip(tensor(P)), oip(described, tail=tail), gzip.compress(v1(P))]))
    )
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert send(sink, new(), bytes(body)).status_code < 500
    assert send(sink, new(), data.draw(st.binary(max_size=40))).status_code < 500


@pytest.mark.parametrize("path", ["/v1/events", "/v1/feedback"])
def test_examples_work(sink: httpx2.Client, path: str) -> None:
    """Every example of the documentation is answered, and so is the answer."""
    content = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]
    for media_type, described in content.items():
        for shown in described.get("examples", {}).values():
            answer = sink.post(path, content=json.dumps(shown["value"]), headers={"Content-Type": media_type})
            assert answer.status_code == 200, answer.text
            conforms(answer.json(), path)
    conforms(sink.get("/v1/events", params={"include": "state"}).json(), "/v1/events", "get")


def test_a_key_as_a_password(tmp_path: Path) -> None:
    """The logger has no header of its own, but an address: with a key as its password."""
    with (
        running(events_store=tmp_path / "events.sqlite", api_keys="secret") as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        assert send(client, new(), v1(P)).status_code == 401
        headers = kserve.headers(new())
        answers = [
            client.post(path, content=v1(P), headers=headers, auth=("logger", key))
            for path, key in (("/v1/events", "secret"), ("/v1/events", "other"), ("/v1/feedback", "secret"))
        ]
        assert [answer.status_code for answer in answers] == [200, 403, 401]


def test_no_more_than_fits(tmp_path: Path) -> None:
    """A small body in gzip that is a large one is refused, and so are too many numbers."""
    with (
        running(events_store=tmp_path / "events.sqlite", max_body_bytes=10_000, max_elements=100) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        assert send(client, new(), gzip.compress(b" " * 100_000)).status_code == 413
        assert send(client, new(), v1(np.full((101, 2), 0.5))).status_code == 413
        assert send(client, new(), oip(*[kserve.binary(np.full((101, 2), 0.5))[0]])).status_code == 413
        assert taken(send(client, new(), v1(np.full((40, 2), 0.5)))) == {"waiting": 1}
