"""Requests that are refused before the application hears of them are counted, logged and named like others."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from prometheus import until
from resilience.targets import Target
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEAD = b"POST /v1/score HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
OF_V2 = b"POST /v2/models/cross_entropy/infer HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"


class Case(NamedTuple):
    """What is sent and how it is refused: the status, the reason, and how much of the head is told."""

    sent: bytes
    status: int
    reason: str
    method: str | None = "POST"
    route: str = "/v1/score"


CASES = {
    "no HTTP": Case(b"\x16\x03\x01\r\n\r\n", 400, "malformed_request", None, "other"),
    "a head that breaks off": Case(HEAD + b"NAME\r\n\r\n", 400, "malformed_request"),
    "two lengths": Case(HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, "malformed_request"),
    "a chunk of no size": Case(HEAD + b"ID" + CHUNKED + b"-1\r\n", 400, "malformed_request"),
    "a late chunk of no size": Case(HEAD + b"ID" + CHUNKED + b"PAUSE-1\r\n", 400, "malformed_request"),
    "another protocol": Case(
        b"GET /nowhere HTTP/2.0\r\nHost: h\r\n\r\n", 505, "not_supported", "GET", "other"
    ),
    "an unknown coding": Case(HEAD + b"Transfer-Encoding: x\r\n\r\n", 501, "not_supported"),
    "a head without end": Case(HEAD + b"ID" + b"X: %b\r\n" % (b"a" * 70_000), 431, "head_too_large"),
    "a slow head": Case(HEAD + b"ID" + b"X: ", 408, "too_slow"),
    "a head that never begins": Case(b"", 408, "too_slow", None, "other"),
    "a slow body": Case(HEAD + b"ID" + b"Content-Length: 90\r\n\r\n{", 408, "too_slow"),
    "a slow body of the inference protocol": Case(
        OF_V2 + b"ID" + b"\r\n{", 408, "too_slow", "POST", "/v2/models/{model_name}/infer"
    ),
}


@pytest.fixture(scope="module")
def refusing() -> Iterator[Server]:
    """A server without patience, whose room is taken."""
    with running(
        header_timeout=1, body_timeout=1, max_body_bytes=100_000, max_bytes_in_flight=100_000
    ) as started:
        yield started


def counted(server: Server) -> dict[tuple[str, str], float]:
    """Refusals by route and reason."""
    families = text_string_to_metric_families(httpx2.get(f"{server.url}/metrics", timeout=PATIENCE).text)
    samples = (sample for family in families for sample in family.samples)
    return {
        (sample.labels["route"], sample.labels["reason"]): sample.value
        for sample in samples
        if sample.name == "lossmeter_refusals_total"
    }


def in_flight(server: Server) -> tuple[float, float]:
    """Requests and bytes that are being answered, that for /metrics aside."""
    text = httpx2.get(f"{server.url}/metrics", timeout=PATIENCE).text
    requests, size = (
        float(re.findall(rf"^lossmeter_{name}_in_flight (\S+)", text, re.MULTILINE)[0])
        for name in ("requests", "bytes")
    )
    return requests - 1, size


def lines(server: Server) -> list[dict[str, Any]]:
    """The log of requests."""
    found = [json.loads(line) for line in server.log.read_text().splitlines()[1:]]
    return [line for line in found if line["logger"] == "lossmeter.requests"]


def asked(server: Server, sent: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The answer to these bytes on a connection of their own."""
    named = f"X-Request-Id: night\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n".encode()
    first, _, second = sent.replace(b"ID", named).partition(b"PAUSE")
    with Target(server.url, server.pid).connect() as connection:
        connection.sendall(first)
        if second:
            until(lambda: in_flight(server)[0] == 1)
            connection.sendall(second)
        said = b""
        while more := connection.recv(65536):
            said += more
    head, _, body = said.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    assert int(headers["content-length"]) == len(body)
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_by_the_server_is_counted_and_logged(refusing: Server, name: str) -> None:
    """Once, by the route and the reason, under the caller's id where there is one; and nothing stays in flight."""
    refused_once(refusing, CASES[name])
    until(lambda: in_flight(refusing) == (0, 0))


@pytest.mark.parametrize(
    ("requests", "status", "reason"),
    [(9, 503, "service_busy"), (1, 429, "caller_busy")],
    ids=["room", "caller"],
)
def test_so_is_one_for_load(requests: int, status: int, reason: str) -> None:
    """A large body that is turned away unread, because another one has the room."""
    half = HEAD + b"Content-Length: 90000\r\n\r\n{"
    with (
        running(
            max_body_bytes=100_000, max_bytes_in_flight=100_000, max_requests_per_caller=requests
        ) as server,
        Target(server.url, server.pid).connect() as other,
    ):
        other.sendall(half)
        until(lambda: in_flight(server) == (1, 90_000))
        refused_once(server, Case(half.replace(b"\r\nContent-L", b"\r\nIDContent-L"), status, reason))
        assert in_flight(server) == (1, 90_000)


def test_a_stream_that_breaks_off_under_its_answer(refusing: Server) -> None:
    """The answer has begun, with 200; the connection ends; the reason is counted all the same."""
    ndjson = HEAD.replace(b"json", b"x-ndjson") + b"Accept: application/x-ndjson\r\nX-Request-Id: torn\r\n"
    row = b'{"logits":[1,2],"target":0}\n' * 200
    before = counted(refusing).get(("/v1/score", "malformed_request"), 0)
    with Target(refusing.url, refusing.pid).connect() as connection:
        connection.sendall(ndjson + CHUNKED + b"%x\r\n%b\r\n" % (len(row), row))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"-1\r\n")
        while connection.recv(65536):
            pass
    until(lambda: counted(refusing).get(("/v1/score", "malformed_request"), 0) == before + 1)
    (line,) = [line for line in lines(refusing) if line["request_id"] == "torn"]
    assert (line["status"], line["error"]) == (200, "malformed_request")


def refused_once(server: Server, case: Case) -> None:
    """Sends it, and holds the answer, the counts and the log against what they should be."""
    before, said = counted(server), len(lines(server))
    status, headers, problem = asked(server, case.sent)
    assert status == case.status
    key = case.route, case.reason
    until(lambda: counted(server).get(key, 0) == before.get(key, 0) + 1)
    (line,) = lines(server)[said:]
    assert (line["status"], line["error"]) == (case.status, case.reason)
    assert line["request_id"] == headers["x-request-id"]
    assert (line.get("method"), line["route"]) == (case.method, case.route)
    assert line["duration"] >= (0.9 if case.status == 408 else 0)
    if b"ID" in case.sent:
        assert line["request_id"] == "night"
        assert line["trace_id"] == TRACE
        assert headers["traceparent"] == f"00-{TRACE}-{PARENT}-01"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["connection"] == "close"
    if case.route.startswith("/v2"):
        assert headers["content-type"] == "application/json"
        assert problem.keys() == {"error"}
    else:
        assert headers["content-type"] == "application/problem+json"
        assert problem["status"] == case.status
        assert problem["request_id"] == line["request_id"]
        assert problem.get("trace_id") == line.get("trace_id")


def test_who_was_answered_is_not_answered_again(refusing: Server) -> None:
    """A body that is still on its way when its answer is out may stall: the connection closes without another word."""
    half = OF_V2.replace(b"cross_entropy", b"none") + b"\r\n{"
    before = counted(refusing)
    with Target(refusing.url, refusing.pid).connect() as connection:
        connection.sendall(half)
        said = b""
        while more := connection.recv(65536):
            said += more
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"404"]
    key = "/v2/models/{model_name}/infer", "not_found"
    assert counted(refusing) == before | {key: before.get(key, 0) + 1}


def test_people_are_told_of_what_has_no_method() -> None:
    """In text as well."""
    with running(log_format="text") as server:
        asked(server, CASES["no HTTP"].sent)
        until(lambda: " - other 400 " in server.log.read_text())
        assert "Traceback" not in server.log.read_text()
