"""One line for each request, of a real server, and never what was in it."""

from __future__ import annotations

import json
import os
import pty
import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from commands import serving
from prometheus import until
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = {"logits": [[2.0, 4321.25]], "targets": [0], "labels": {"model": "secret-label"}}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def logging_server() -> Iterator[Server]:
    """A server that nobody else asks, whose log is JSON since it is no terminal."""
    with running() as started:
        yield started


def lines(server: Server) -> list[dict[str, Any]]:
    """The log, but for the line that is no log."""
    return [json.loads(line) for line in server.log.read_text().splitlines()[1:]]


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """The line of a request; it is written when the answer has been sent."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = [line for line in lines(server) if line.get("request_id") == request_id]
        return bool(found)

    until(is_there)
    (only,) = found
    return only


def test_a_line_says_what_a_request_cost_and_not_what_it_held(logging_server: Server) -> None:
    """Route, status, phases, sizes, loss and ids; neither numbers nor labels nor the query."""
    headers = {"X-Request-Id": "night-1", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    answer = httpx2.post(f"{logging_server.url}/v1/score", json=BODY, headers=headers, timeout=PATIENCE)
    line = line_of(logging_server, "night-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])
    spent = {name: line.pop(name) for name in ("read", "parse", "compute", "encode", "write")}
    assert all(seconds >= 0 for seconds in spent.values())
    assert sum(spent.values()) <= line["duration"] + 1e-5
    assert {**line, "time": 0, "duration": 0} == {
        "time": 0,
        "level": "info",
        "logger": "lossmeter.requests",
        "request_id": "night-1",
        "trace_id": TRACE,
        "method": "POST",
        "route": "/v1/score",
        "status": 200,
        "duration": 0,
        "bytes_in": len(answer.request.content),
        "bytes_out": len(answer.content),
        "rows": 1,
        "classes": 2,
        "loss": "cross_entropy",
    }
    text = logging_server.log.read_text()
    assert "4321" not in text
    assert "secret-label" not in text


def test_a_refusal_is_a_line_with_its_reason(logging_server: Server) -> None:
    """The problem names the request and its trace; the log the reason, and nothing of the query or the path."""
    headers = {
        "X-Request-Id": "night-2",
        "traceparent": f"00-{TRACE}-{PARENT}-00",
        "Content-Type": "application/x-npy",
    }
    answer = httpx2.post(
        f"{logging_server.url}/v1/score?input=hidden-word",
        content=b"hidden",
        headers=headers,
        timeout=PATIENCE,
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"] == "night-2"
    assert answer.json()["trace_id"] == TRACE
    assert answer.headers["traceparent"] == headers["traceparent"]
    line = line_of(logging_server, "night-2")
    assert line["error"] in ("invalid_input", "malformed_body")
    assert "hidden" not in logging_server.log.read_text()


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é"], ids=["empty", "space", "long", "latin"])
def test_ids_that_are_none_are_replaced(logging_server: Server, sent: str) -> None:
    """By one of our own, or by the trace's."""
    url = f"{logging_server.url}/v1/losses"
    headers = [(b"X-Request-Id", sent.encode("latin-1")), (b"traceparent", b"00-" + b"0" * 32 + b"-1-1")]
    answer = httpx2.get(url, headers=headers, timeout=PATIENCE)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert "traceparent" not in answer.headers
    headers[1] = (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    assert httpx2.get(url, headers=headers, timeout=PATIENCE).headers["X-Request-Id"] == TRACE


def test_errors_of_the_inference_protocol_keep_to_their_form(logging_server: Server) -> None:
    """Their body is the protocol's; the id is in the header."""
    url = f"{logging_server.url}/v2/models/none/infer"
    answer = httpx2.post(url, json={}, headers={"X-Request-Id": "night-3"}, timeout=PATIENCE)
    assert answer.json().keys() == {"error"}
    assert answer.headers["X-Request-Id"] == "night-3"


def test_probes_are_not_logged(logging_server: Server) -> None:
    """Nor is the reading of metrics: they come every few seconds."""
    for path in ("/health/live", "/health/ready", "/v2/health/live", "/metrics"):
        headers = {"X-Request-Id": f"probe{path}"}
        assert httpx2.get(logging_server.url + path, headers=headers, timeout=PATIENCE).status_code == 200
    httpx2.get(f"{logging_server.url}/v1/losses", headers={"X-Request-Id": "night-4"}, timeout=PATIENCE)
    line_of(logging_server, "night-4")
    assert "probe" not in logging_server.log.read_text()


def test_a_terminal_gets_coloured_text() -> None:
    """And text without a terminal has no colours."""
    master, slave = pty.openpty()
    with serving(errors=slave) as (_, line):
        os.close(slave)
        url = line.split(" on ")[1].split(",")[0].strip()
        httpx2.get(f"{url}/v1/losses", headers={"X-Request-Id": "night-5"}, timeout=PATIENCE)
        said = b""
        while b"night-5" not in said:
            said += os.read(master, 4096)
    os.close(master)
    text = said.decode()
    assert re.search(r"\x1b\[32minfo    \x1b\[0m GET /v1/losses 200 [0-9.]+ ms request_id=night-5 ", text), (
        text
    )
    with running(log_format="text") as server:
        httpx2.get(f"{server.url}/v1/losses", headers={"X-Request-Id": "night-6"}, timeout=PATIENCE)
        until(lambda: "night-6" in server.log.read_text())
        assert "\x1b" not in server.log.read_text()
