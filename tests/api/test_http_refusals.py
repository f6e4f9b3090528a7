"""What HTTP itself says of a request, before its body is looked at: paths, methods, media types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fastapi.exceptions import RequestValidationError

from api.refusals import JSON, Case, check, scored
from lossmeter.api import errors

if TYPE_CHECKING:
    import httpx2

HTTP = [
    Case("a quality that is no number", scored(), 406, headers=JSON | {"Accept": "application/json;q=x"}),
    Case("no such path", "", 404, path="/v1/scores"),
    Case("a slash too many", "", 404, path="/v1/score/"),
    Case("GET of a POST", b"", 405, method="GET", headers={}, answers_with={"Allow": "POST"}),
    Case("POST of a GET", scored(), 405, path="/v1/losses", answers_with={"Allow": "GET, HEAD"}),
    Case("DELETE", b"", 405, method="DELETE", headers={}, answers_with={"Allow": "POST"}),
    Case(
        "no Content-Type",
        scored(),
        415,
        headers={},
        path="/v1/softmax",
        says="-H 'Content-Type: application/json'",
        answers_with={"Accept": "application/json"},
    ),
    Case(
        "no Content-Type of a batch",
        scored(),
        415,
        headers={},
        says="-H 'Content-Type: application/json'",
        answers_with={
            "Accept": "application/json, application/x-npz, application/x-npy, application/vnd.apache.parquet, "
            "multipart/form-data, application/vnd.apache.arrow.stream, application/x-ndjson"
        },
    ),
    Case(
        "curl's Content-Type",
        scored(),
        415,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        says="curl",
    ),
    Case("text/json", scored(), 415, headers={"Content-Type": "text/json"}),
    Case(
        "another charset",
        scored(),
        415,
        headers={"Content-Type": "application/json; charset=latin-1"},
        says="UTF-8",
    ),
    Case(
        "brotli",
        scored(),
        415,
        headers=JSON | {"Content-Encoding": "br"},
        says="not br",
        answers_with={"Accept-Encoding": "zstd, gzip, deflate"},
    ),
    Case(
        "one coding in another",
        scored(),
        415,
        headers=JSON | {"Content-Encoding": "gzip, zstd"},
        answers_with={"Accept-Encoding": "zstd, gzip, deflate"},
    ),
    Case(
        "called gzip, and plain",
        scored(),
        400,
        headers=JSON | {"Content-Encoding": "gzip"},
        says="not gzip",
    ),
    Case("only HTML back", scored(), 406, headers=JSON | {"Accept": "text/html"}),
    Case(
        "no JSON back",
        scored(),
        406,
        headers=JSON | {"Accept": "*/*, application/json;q=0, application/problem+json;q=0"},
    ),
    Case("the losses as HTML", b"", 406, method="GET", path="/v1/losses", headers={"Accept": "text/html"}),
]


@pytest.mark.parametrize("case", HTTP, ids=lambda case: case.name)
def test_refused(client: httpx2.Client, case: Case) -> None:
    """Every refusal has its status, and is a problem as RFC 9457 has it."""
    check(client, case)


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "application/json;version=1;q=0.5",
        "application/json",
        "application/problem+json",
        "text/html, */*;q=0.1",
        "",
    ],
)
def test_accepted(client: httpx2.Client, accept: str) -> None:
    """Whoever takes JSON or problems gets an answer."""
    response = client.post("/v1/score", json=scored(), headers={"Accept": accept})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf-8;x=y",
    ],
)
def test_content_types(client: httpx2.Client, content_type: str) -> None:
    """JSON may be declared in every way that the standards allow."""
    response = client.post("/v1/score", content=json.dumps(scored()), headers={"Content-Type": content_type})
    assert response.status_code == 200


def test_what_fastapi_would_refuse() -> None:
    """Whatever FastAPI itself still refuses becomes a problem, too."""
    response = errors.of(RequestValidationError([]), {"type": "http", "path": "/v1/score"})
    assert response.status_code == 415
    assert response.media_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/metrics", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/score", {"POST"}),
        ("POST", "/v1/losses", {"GET", "HEAD"}),
    ],
)
def test_allow_names_every_method(client: httpx2.Client, method: str, path: str, allowed: set[str]) -> None:
    """A path with several routes allows what any of them takes."""
    response = client.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == allowed
