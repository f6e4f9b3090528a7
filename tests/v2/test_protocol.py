"""What is around inferring: probes, metadata, and errors in the one form that the protocol's clients read."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest

import lossmeter
from lossmeter import engine
from servers import PATIENCE, Server, running
from v2.messages import HEADER, message, outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY, HEADERS = message({"logits": np.zeros((2, 3)), "targets": np.zeros(2, np.int64)})
post = partial(httpx2.post, timeout=PATIENCE)
get = partial(httpx2.get, timeout=PATIENCE)
BROKEN = Path(__file__).parents[1] / "api" / "broken_server.py"


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server with small limits and a key."""
    with running(max_body_bytes=10_000, max_elements=100, max_classes=8, api_keys="alpha") as server:
        yield server


def error_of(response: httpx2.Response) -> str:
    """The message of a refusal, in exactly the form that KServe's client reads."""
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    found = response.json()["error"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True, "live": True}),
        ("/v2/models/focal/ready", {"name": "focal", "ready": True}),
        ("/v2/models/focal/versions/1/ready", {"name": "focal", "ready": True}),
        ("/v2/models", {"models": list(engine.LOSSES)}),
    ],
)
def test_documents(client: httpx2.Client, path: str, document: dict[str, Any]) -> None:
    """Small documents, as the protocol has them; none is empty."""
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == document


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_metadata(client: httpx2.Client, path: str) -> None:
    """With the slash of the specification's YAML or without; the binary extension is announced."""
    document = client.get(path).json()
    assert (document["name"], document["version"]) == ("lossmeter", lossmeter.__version__)
    assert "binary_tensor_data" in document["extensions"]


@pytest.mark.parametrize("loss", engine.LOSSES)
def test_model_metadata(client: httpx2.Client, loss: str) -> None:
    """Every tensor that a model takes and gives, with and without the version in the path."""
    document = client.get(f"/v2/models/{loss}").json()
    assert document == client.get(f"/v2/models/{loss}/versions/1").json()
    assert (document["name"], document["versions"]) == (loss, ["1"])
    per_class = {name for name, about in engine.LOSSES[loss].parameters().items() if about.vector}
    names = {"logits", "probabilities", "log_probabilities", "targets", "sample_weights", "class_weights"}
    assert {each["name"] for each in document["inputs"]} == names | per_class
    for tensor in document["inputs"] + document["outputs"]:
        assert set(tensor) == {"name", "datatype", "shape"}


def test_what_metadata_promises_is_answered(client: httpx2.Client) -> None:
    """Every output of the metadata can be asked for, and has the shape it says."""
    promised = client.get("/v2/models/cross_entropy").json()["outputs"]
    wanted = [{"name": each["name"]} for each in promised]
    arrays = {"logits": np.zeros((2, 3)), "targets": np.zeros(2, np.int64)}
    body, headers = message(arrays, outputs=wanted, parameters={"reduction": "sum"})
    found = outputs(client.post("/v2/models/cross_entropy/infer", content=body, headers=headers))
    for each in promised:
        shape = found[each["name"]].shape
        assert len(shape) == len(each["shape"])
        assert all(axis in (-1, size) for axis, size in zip(each["shape"], shape, strict=True))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}'])
def test_repository_index(client: httpx2.Client, body: bytes) -> None:
    """Triton's index of models, whatever is asked."""
    index = client.post("/v2/repository/index", content=body).json()
    assert [entry["name"] for entry in index] == list(engine.LOSSES)
    assert all((entry["version"], entry["state"], entry["reason"]) == ("1", "READY", "") for entry in index)


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/v2/nothing", 404, "openapi.json"),
        ("GET", "/v2/models/focall", 404, "did you mean focal?"),
        ("GET", "/v2/models/focall/ready", 404, "no such model"),
        ("GET", "/v2/models/focal/versions/2", 404, "no such version; it has: 1"),
        ("POST", "/v2/models/focal/versions/2/infer", 404, "no such version"),
        ("POST", "/v2/models/focall/infer", 404, "no such model"),
        ("GET", "/v2/models/focal/infer", 405, "method"),
        ("DELETE", "/v2/models", 405, "method"),
        ("POST", "/v2/models/focal/infer", 400, "The body is empty"),
    ],
)
def test_errors(client: httpx2.Client, method: str, path: str, status: int, says: str) -> None:
    """Paths that are not there, methods that are not taken, and nothing to score."""
    response = client.request(method, path)
    assert response.status_code == status
    assert says in error_of(response)
    assert ("allow" in response.headers) == (status == 405)


def test_an_unknown_coding(client: httpx2.Client) -> None:
    """A coding that is not known is refused with those that are."""
    response = client.post(
        "/v2/models/focal/infer", content=BODY, headers=HEADERS | {"Content-Encoding": "br"}
    )
    assert response.status_code == 415
    assert "gzip" in response.headers["accept-encoding"]
    assert "br" in error_of(response)


def test_keys_and_limits(tight: Server) -> None:
    """Keys, sizes before and after decompression, and numbers: each limit refuses in the protocol's form."""
    url = f"{tight.url}/v2/models/cross_entropy/infer"
    for path in ("live", "ready"):
        assert get(f"{tight.url}/v2/health/{path}").status_code == 200
    nobody = post(url, content=BODY, headers=HEADERS)
    assert (nobody.status_code, "www-authenticate" in nobody.headers) == (401, True)
    assert "key" in error_of(nobody)
    key = {"X-API-Key": "alpha"}
    assert post(url, content=BODY, headers=HEADERS | key).status_code == 200
    twice = post(url, content=BODY, headers=[*(HEADERS | key).items(), (HEADER, "7")])
    assert twice.status_code == 400
    assert HEADER in error_of(twice)
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (b" " * 20_000, {}, 413),
        (gzip.compress(b" " * 20_000), {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(b" " * 20_000)[:-9], {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(b" " * 200)[:-9], {"Content-Encoding": "gzip"}, 400),
        (*message({"logits": np.zeros((20, 6)), "targets": np.zeros(20, np.int64)}), 413),
        (*message({"logits": np.zeros((2, 9)), "targets": np.zeros(2, np.int64)}), 422),
    ]
    for body, headers, status in cases:
        response = post(url, content=body, headers=headers | key)
        assert response.status_code == status, response.text
        assert error_of(response)


def test_a_failure_of_the_service() -> None:
    """What nobody expected is a 500 in the protocol's form, too, and tells nothing."""
    with running(script=BROKEN) as broken:
        response = post(f"{broken.url}/v2/models/focal/infer", content=BODY, headers=HEADERS)
        assert response.status_code == 500
        assert "not the request's fault" in error_of(response)


def test_http_1_0(server: Server) -> None:
    """To a client of HTTP/1.0 even an answer of unknown length goes out whole."""
    rows = 20_000
    body, headers = message({"logits": np.zeros((rows, 3)), "targets": np.zeros(rows, np.int64)})
    connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    connection._http_vsn_str = "HTTP/1.0"  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way to say it
    connection.request("POST", "/v2/models/cross_entropy/infer", body, headers)
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("transfer-encoding") is None
    assert len(response.read()) == int(response.getheader("content-length", "0"))


def test_a_client_that_leaves(server: Server) -> None:
    """Half a body and no more: nothing fails for it, and the next is served."""
    get(f"{server.url}/v2/health/ready")
    before = server.log.read_text().count("unexpected error")
    with socket.create_connection(server.address, timeout=PATIENCE) as connection:
        connection.sendall(b"POST /v2/models/focal/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    response = post(f"{server.url}/v2/models/focal/infer", content=BODY, headers=HEADERS)
    assert response.status_code == 200
    assert server.log.read_text().count("unexpected error") == before


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is told by /proc")
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_memory(dtype: type[np.floating[Any]]) -> None:
    """Binary tensors are neither copied on their way in nor out: at most twice the bytes that travel."""
    rows = 60_000
    logits = np.zeros((rows, 100), dtype)
    small, lengths = message({"logits": logits[:2000], "targets": np.zeros(2000, np.int64)})
    body, headers = message(
        {"logits": logits, "targets": np.zeros(rows, np.int64)}, parameters={"binary_data_output": True}
    )
    with running(max_body_bytes=2**27) as alone:
        url = f"{alone.url}/v2/models/cross_entropy/infer"
        post(url, content=small, headers=lengths)
        before = memory(alone, "VmRSS")
        answer = post(url, content=body, headers=headers)
        peak = memory(alone, "VmHWM") - before
    assert answer.status_code == 200
    assert peak < 2 * (len(body) + len(answer.content))


def memory(server: Server, line: str) -> int:
    """A line of what Linux says of the server's memory, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{line}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024
