"""Connections and what they outlive: refusals, failures of the service, many callers at once."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest

from api.asking import SMALL
from api.refusals import JSON
from servers import PATIENCE, Server, running

BROKEN = Path(__file__).with_name("broken_server.py")


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
