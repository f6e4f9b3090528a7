"""GET /metrics of a real server, whatever way the scoring took."""

from __future__ import annotations

import io
import json
import shutil
import socket
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pyarrow as pa
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read

from lossmeter.observability.catalogue import TABLES
from prometheus import promtool, until
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGITS = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
TARGETS = [0, 2]
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def watched() -> Iterator[Server]:
    """A server that nobody else asks."""
    with running(max_elements=1000, max_requests_per_caller=1) as started:
        yield started


@pytest.fixture
def caller(watched: Server) -> Iterator[httpx2.Client]:
    """A client of it."""
    with httpx2.Client(base_url=watched.url, timeout=PATIENCE) as opened:
        yield opened


def samples(caller: httpx2.Client, name: str, **labels: str) -> float:
    """The sum of the samples of this name that have these labels."""
    families = read(caller.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def arrow() -> bytes:
    """A stream of two batches."""
    batch = pa.record_batch(
        {"logits": pa.array(LOGITS, pa.list_(pa.float64(), 3)), "targets": pa.array(TARGETS, pa.int64())}
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    return sink.getvalue()


def npz() -> bytes:
    """A batch of memory."""
    sink = io.BytesIO()
    np.savez(sink, logits=np.array(LOGITS), targets=np.array(TARGETS))
    return sink.getvalue()


def ndjson() -> bytes:
    """A line for each row."""
    lines = [{"logits": row, "target": target} for row, target in zip(LOGITS, TARGETS, strict=True)]
    return "\n".join(json.dumps(line) for line in lines).encode()


def oip(model: str) -> bytes:
    """A request of the inference protocol."""
    tensors = [
        {"name": "logits", "shape": [2, 3], "datatype": "FP64", "data": LOGITS},
        {"name": "targets", "shape": [2], "datatype": "INT64", "data": TARGETS},
    ]
    return json.dumps({"parameters": {"labels": {"model": model}}, "inputs": tensors}).encode()


WAYS = {
    "json": (
        "/v1/score",
        "application/json",
        json.dumps({"logits": LOGITS, "targets": TARGETS, "labels": {"model": "json"}}).encode(),
        2,
    ),
    "npz": ('/v1/score?labels={"model":"npz"}&include=losses', "application/x-npz", npz(), 2),
    "arrow": ('/v1/score?labels={"model":"arrow"}', ARROW, arrow(), 4),
    "ndjson": ('/v1/score?labels={"model":"ndjson"}&include=kl', NDJSON, ndjson(), 2),
    "measured": (
        "/v1/metrics",
        "application/json",
        json.dumps({"logits": LOGITS, "targets": TARGETS, "labels": {"model": "measured"}}).encode(),
        2,
    ),
    "v2": ("/v2/models/cross_entropy/infer", "application/json", oip("v2"), 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_score_counts(caller: httpx2.Client, way: str) -> None:
    """The rows, their loss, the correct ones, the route and its bytes."""
    path, content, body, rows = WAYS[way]
    accept = {"Accept": content} if content in (ARROW, NDJSON) else {}
    answer = caller.post(path, content=body, headers={"Content-Type": content, **accept})
    assert answer.status_code == 200, answer.text
    loss = np.log(np.exp(LOGITS).sum(axis=1)) - [LOGITS[0][0], LOGITS[1][2]]
    assert samples(caller, "lossmeter_rows_scored_total", model=way, loss="cross_entropy") == rows
    assert samples(caller, "lossmeter_loss_nats_total", model=way) == pytest.approx(loss.sum() * rows / 2)
    assert samples(caller, "lossmeter_correct_rows_total", model=way) == rows / 2
    route = "/v2/models/{model_name}/infer" if way == "v2" else path.partition("?")[0]
    assert samples(caller, "lossmeter_http_request_body_bytes_total", route=route, status="200") >= len(body)


def test_the_text_is_what_its_readers_take(caller: httpx2.Client) -> None:
    """Prometheus' format and OpenMetrics have the same families, each of the catalogue; promtool has no complaint."""
    answer = caller.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    plain = {family.name for family in read(answer.text)}
    assert {metric.name for table in TABLES for metric in table.metrics} <= plain
    wanted = "application/openmetrics-text; version=1.0.0"
    open_ = caller.get("/metrics", headers={"Accept": wanted})
    assert open_.headers["content-type"].startswith(wanted)
    families = read_openmetrics(open_.text)  # type: ignore[no-untyped-call]  # the library has no types for it
    assert {family.name for family in families} == plain
    if shutil.which("promtool"):
        promtool("check", "metrics", stdin=answer.text)


def test_requests_are_counted_by_route_and_reason(caller: httpx2.Client) -> None:
    """Paths, methods and headers that anyone may send make no series of their own."""
    body = {"logits": [[1, 2], [3]], "targets": [0, 1]}
    assert caller.post("/v1/score", json=body).status_code == 422
    assert caller.post("/v1/score", json={"logits": [[0.0] * 2000], "targets": [0]}).status_code == 413
    assert (
        caller.post("/v1/score", content=b"{", headers={"Content-Type": "application/json"}).status_code
        == 400
    )
    for number, method in enumerate(("PUT", "DELETE", "PATCH", "PURGE", "PROPFIND")):
        assert caller.get(f"/nothing/{number}").status_code == 404
        assert caller.get(f"/v2/models/model-{number}/ready").status_code == 404
        assert caller.request(method, "/v1/score").status_code == 405
    refusals = {"invalid_input": 1, "too_large": 1, "malformed_body": 1, "method_not_allowed": 5}
    for reason, count in refusals.items():
        assert samples(caller, "lossmeter_refusals_total", route="/v1/score", reason=reason) == count
    assert samples(caller, "lossmeter_refusals_total", route="other", reason="not_found") == 5
    counted = "lossmeter_http_request_duration_seconds_count"
    assert samples(caller, counted, route="/v2/models/{model_name}/ready", status="404") == 5
    assert samples(caller, counted, method="other", status="405") == 5
    text = caller.get("/metrics").text
    assert "PURGE" not in text
    assert "model-3" not in text
    assert "nothing" not in text


def test_what_is_in_flight_is_told_and_forgotten(caller: httpx2.Client, watched: Server) -> None:
    """A body that is half sent is held; when its sender is gone, nothing is."""
    assert samples(caller, "lossmeter_bytes_in_flight") == 0
    assert samples(caller, "lossmeter_bytes_in_flight_limit") == 256 * 2**20
    with socket.create_connection(watched.address) as half:
        half.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 70000\r\n\r\n{"
        )
        until(lambda: samples(caller, "lossmeter_bytes_in_flight") == 70_000)
        assert samples(caller, "lossmeter_requests_in_flight") == 2
    until(lambda: samples(caller, "lossmeter_bytes_in_flight") == 0)
    until(lambda: samples(caller, "lossmeter_requests_in_flight") == 1)
