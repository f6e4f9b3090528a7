"""Limits, keys and probes: what the server does when it is asked for too much, or by the wrong people."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from api.asking import SMALL
from api.refusals import JSON
from lossmeter.api.limits import declared_length
from lossmeter.engine import score
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server with small limits."""
    with running(
        max_body_bytes=10_000,
        max_bytes_in_flight=12_000,
        max_requests_per_caller=2,
        max_elements=100,
        max_classes=8,
    ) as server:
        yield server


def chunks(size: int) -> Iterator[bytes]:
    """A body of unknown length."""
    for _ in range(size // 1000):
        yield b" " * 1000


def begin(server: Server, length: int) -> socket.socket:
    """A request that has declared its length and sends nothing yet."""
    connection = socket.create_connection(server.address, timeout=PATIENCE)
    head = f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def finish(connection: socket.socket, length: int) -> bytes:
    """What such a request gets once it has sent its body."""
    with connection:
        connection.sendall(json.dumps(SMALL).encode().ljust(length))
        return connection.recv(100_000)


def eventually(server: Server, status: int, **request: object) -> httpx2.Response:
    """The answer to a request, sent again until it has this status or patience ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        response = httpx2.post(f"{server.url}/v1/score", json=SMALL | request)
        if response.status_code == status or time.monotonic() > deadline:
            return response
        time.sleep(0.02)


def test_declared_too_large_is_refused_unread(tight: Server) -> None:
    """A body that says it is too large is answered before a byte of it is sent, and the connection is closed."""
    with begin(tight, 10_001) as connection:
        answer = connection.recv(100_000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer
        assert b"application/problem+json" in answer


@pytest.mark.parametrize("size", [11_000, 3_000_000])
def test_too_large(tight: Server, size: int) -> None:
    """Clients that send all of it first can read the answer, too."""
    response = httpx2.post(f"{tight.url}/v1/score", content=b" " * size, headers=JSON)
    assert response.status_code == 413
    connection = http.client.HTTPConnection(*tight.address, timeout=PATIENCE)
    connection.request("POST", "/v1/score", b" " * size, JSON)
    assert connection.getresponse().status == 413
    connection.close()


def test_too_large_in_chunks(tight: Server) -> None:
    """A body of unknown length is refused once it is too long."""
    response = httpx2.post(f"{tight.url}/v1/score", content=chunks(20_000), headers=JSON)
    assert response.status_code == 413
    assert response.headers["Connection"] == "close"
    assert response.json()["title"] == "Content Too Large"
    assert response.json()["max_body_bytes"] == 10_000


def test_too_many_numbers(tight: Server) -> None:
    """More numbers than max_elements are too large, whatever their bytes."""
    response = httpx2.post(f"{tight.url}/v1/score", json={"logits": [[0, 1]] * 60, "targets": [0] * 60})
    assert response.status_code == 413
    assert "100" in response.json()["detail"]
    assert response.json()["max_elements"] == 100


def test_too_many_classes(tight: Server) -> None:
    """More classes than max_classes are not scorable here."""
    response = httpx2.post(f"{tight.url}/v1/score", json={"logits": [[0] * 9], "targets": [0]})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/logits"


def test_states_of_many_classes(tight: Server) -> None:
    """A state of more classes than max_classes is refused, too: its report would be as long as they are many."""
    state = score(logits=[[0.0] * 9], targets=[0], include=["state"]).state
    assert state is not None
    body = {"state": b64encode(state.pack()).decode()}
    response = httpx2.post(f"{tight.url}/v1/report", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/state/options/classes"


def test_too_many_bytes_in_flight(tight: Server) -> None:
    """While there is no room for a body, it is refused with the time to come again; room comes back."""
    with begin(tight, 9_000) as first:
        response = eventually(tight, 503, padding=" " * 4_000)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.headers["Content-Type"] == "application/problem+json"
        assert httpx2.get(f"{tight.url}/health/ready").status_code == 200
        assert finish(first, 9_000).startswith(b"HTTP/1.1 200 ")
    assert eventually(tight, 422, padding=" " * 4_000).status_code == 422


def test_chunks_count_as_bytes_in_flight(tight: Server) -> None:
    """A body of unknown length takes room as it comes, and is refused when there is none."""
    with begin(tight, 9_000) as first:
        eventually(tight, 503, padding=" " * 4_000)
        response = httpx2.post(f"{tight.url}/v1/score", content=chunks(9_000), headers=JSON)
        assert response.status_code == 503
        finish(first, 9_000)


def test_too_many_requests_of_one_caller(tight: Server) -> None:
    """A caller with too many requests in flight is told so; after they are done, the next is served."""
    with begin(tight, 100) as first, begin(tight, 100) as second:
        response = eventually(tight, 429)
        assert response.status_code == 429
        assert response.headers["Retry-After"] == "1"
        assert httpx2.get(f"{tight.url}/health/live").status_code == 200
        assert finish(first, 100).startswith(b"HTTP/1.1 200 ")
        assert finish(second, 100).startswith(b"HTTP/1.1 200 ")
    assert eventually(tight, 200).status_code == 200


def test_abandoned_requests_give_their_room_back(tight: Server) -> None:
    """A client that goes away in the middle of its body leaves nothing behind."""
    for _ in range(5):
        begin(tight, 9_000).close()
    assert eventually(tight, 200).status_code == 200


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells of memory in /proc")
def test_refusals_leave_no_memory_behind(server: Server) -> None:
    """What was read of a large body that is refused goes at once, and not at some garbage collection."""

    def refuse(rows: int) -> int:
        body = f'{{"logits": [{",".join(["[1], [1, 2]"] * rows)}], "targets": [0]}}'
        response = httpx2.post(f"{server.url}/v1/score", content=body, headers=JSON, timeout=PATIENCE)
        assert response.status_code == 422
        return resident(server)

    before = refuse(10_000)
    assert refuse(600_000) - before < 50 * 2**20


def resident(server: Server) -> int:
    """Bytes of memory that a server's process holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_a_length_that_int_cannot_read_is_none() -> None:
    """A superscript is a digit to Python, and no decimal: servers refuse it, and what they pass is not believed."""
    assert declared_length({"headers": [(b"content-length", "²".encode("latin-1"))]}) == 0
    assert declared_length({"headers": [(b"content-length", b"12")]}) == 12
