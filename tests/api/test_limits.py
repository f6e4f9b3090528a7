"""Limits, keys and probes: what the server does when it is asked for too much, or by the wrong people."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pytest

from lossmeter.api.app import create_app
from lossmeter.engine import score
from lossmeter.settings import Settings
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = {"logits": [[1.0, 2.0]], "targets": [0]}
JSON = {"Content-Type": "application/json"}
BROKEN = Path(__file__).with_name("broken_server.py")


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


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks for a key."""
    with running(api_keys="alpha,beta") as server:
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


@pytest.mark.parametrize("path", ["/v1/score", "/v1/nothing"])
def test_no_key(guarded: Server, path: str) -> None:
    """Without a key nothing is answered, not even what there is."""
    response = httpx2.post(guarded.url + path, json=SMALL)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["title"] == "Unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer gamma"},
        {"X-API-Key": "alph"},
        {"X-API-Key": "alpha,beta"},
        {b"X-API-Key": "schlüssel".encode()},
    ],
)
def test_wrong_key(guarded: Server, headers: dict[str, str]) -> None:
    """A wrong key is refused, whatever bytes it has, and is not repeated."""
    response = httpx2.post(f"{guarded.url}/v1/score", json=SMALL, headers=headers)
    assert response.status_code == 403
    assert response.json()["title"] == "Forbidden"
    assert "gamma" not in response.text


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer alpha"}, {"authorization": "bearer beta"}, {"X-API-Key": "beta"}]
)
def test_right_key(guarded: Server, headers: dict[str, str]) -> None:
    """Any of the keys opens, in either header."""
    assert httpx2.post(f"{guarded.url}/v1/score", json=SMALL, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/openapi.json", "/docs"])
def test_open_to_everyone(guarded: Server, path: str) -> None:
    """Probes and documentation need no key."""
    assert httpx2.get(guarded.url + path).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes(client: httpx2.Client, path: str) -> None:
    """Probes say ok, and are not cached."""
    response = client.get(path)
    assert response.json() == {"status": "ok"}
    assert response.headers["Cache-Control"] == "no-store"


def test_readiness_follows_the_lifespan() -> None:
    """Requests are welcome after start-up and before shutdown, and not otherwise."""
    from starlette.testclient import TestClient  # noqa: PLC0415 - no other test may use it: no socket

    app = create_app(Settings())
    client = TestClient(app)
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/ready").json() == {"status": "starting"}
    assert client.get("/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/focal/ready"):
        assert client.get(path).status_code == 503
        assert client.get(path).json()["ready"] is False
    assert {entry["state"] for entry in client.post("/v2/repository/index").json()} == {"UNAVAILABLE"}
    assert client.get("/v2/health/live").json() == {"live": True}
    with client:
        assert client.get("/health/ready").status_code == 200
        assert client.get("/v2/health/ready").json() == {"ready": True, "live": True}
    assert client.get("/health/ready").json() == {"status": "stopping"}


def test_probes_do_not_wait_for_scoring(server: Server) -> None:
    """While large bodies are scored, every probe is answered at once."""
    logits = np.random.default_rng(0).normal(size=(10_000, 50)).tolist()
    body = json.dumps({"logits": logits, "targets": [0] * 10_000})
    with ThreadPoolExecutor(2) as pool, httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
        scorings = [
            pool.submit(httpx2.post, f"{server.url}/v1/score", content=body, headers=JSON, timeout=PATIENCE)
            for _ in range(4)
        ]
        times = []
        while not all(scoring.done() for scoring in scorings):
            start = time.perf_counter()
            assert client.get("/health/live").status_code == 200
            times.append(time.perf_counter() - start)
    assert [scoring.result().status_code for scoring in scorings] == [200] * 4
    assert len(times) > 4
    # Far from what it takes to score one of the bodies in vain; generous, for a machine that is busy otherwise.
    assert float(np.median(times)) < 0.5


def test_connections_survive_refusals(server: Server) -> None:
    """One connection takes a refusal of every kind, and then scores."""
    connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    connection.connect()
    before = connection.sock
    requests = [
        ("POST", "/v1/score", "{", JSON, 400),
        ("POST", "/v1/score", "{}", JSON, 422),
        ("POST", "/v1/score", "{}", {}, 415),
        ("POST", "/nothing", "{}", JSON, 404),
        ("PUT", "/v1/score", "{}", JSON, 405),
        ("GET", "/v1/losses", None, {"Accept": "text/html"}, 406),
        ("POST", "/v1/score", json.dumps(SMALL), JSON, 200),
    ]
    for method, path, body, headers, status in requests:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is before
    connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("HTTP/1.1\r\n", 400),
        ("HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
        ("HTTP/1.1\r\nHost: a\r\n", 200),
        ("HTTP/1.0\r\n", 200),
    ],
)
def test_one_host(server: Server, head: str, status: int) -> None:
    """A request names one host, for a proxy in front might take another of several; HTTP/1.0 may name none."""
    with socket.create_connection(server.address, timeout=PATIENCE) as connection:
        connection.sendall(f"GET /v1/losses {head}\r\n".encode())
        answer = connection.recv(100_000)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"application/problem+json" in answer) == (status == 400)


def test_unexpected_errors() -> None:
    """A bug becomes a 500 that says nothing of itself, in the log with its traceback; the connection lives on."""
    with running(script=BROKEN) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
        for path in ("/boom", "/v1/score"):
            connection.request("POST", path, json.dumps(SMALL), JSON)
            response = connection.getresponse()
            problem = json.loads(response.read())
            assert (response.status, problem["title"]) == (500, "Internal Server Error")
            assert not re.search("secret|NoneType", json.dumps(problem))
        before = connection.sock
        connection.request("GET", "/health/live")
        assert connection.getresponse().status == 200
        assert connection.sock is before
        connection.close()
        assert "the secret of /boom" in server.log.read_text()
        assert "object has no attribute 'max_depth'" in server.log.read_text()


def test_errors_in_the_middle_of_an_answer() -> None:
    """Half an answer cannot be taken back, so the connection is cut: the client sees that it is not whole."""
    with running(script=BROKEN) as server:
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(f"{server.url}/half")
        assert "the secret of /half" in server.log.read_text()


def test_without_docs() -> None:
    """The pages can be switched off; the document stays."""
    with running(docs=False) as server:
        assert httpx2.get(f"{server.url}/docs").status_code == 404
        assert httpx2.get(f"{server.url}/openapi.json").status_code == 200


def test_many_callers_do_not_mix(server: Server) -> None:
    """Concurrent requests get their own answers."""
    barrier = threading.Barrier(8)

    def ask(number: int) -> list[float]:
        barrier.wait()
        with httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
            return [
                client.post("/v1/softmax", json={"logits": [[number, step]]}).json()["log_sum_exp"][0]
                for step in range(20)
            ]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    expected = [[float(np.logaddexp(number, step)) for step in range(20)] for number in range(8)]
    assert np.allclose(answers, expected, rtol=1e-14, atol=0)
