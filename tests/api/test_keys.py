"""Keys from the settings: nothing is answered without one, but for probes and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from api.asking import SMALL
from servers import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks for a key."""
    with running(api_keys="alpha,beta") as server:
        yield server


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
