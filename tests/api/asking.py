"""How tests ask the server, and read what it answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2


def ask(client: httpx2.Client, path: str, **document: object) -> dict[str, Any]:
    """The answer to a good request."""
    response = client.post(path, json=document)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    answer: dict[str, Any] = json.loads(response.content, parse_constant=refuse)
    return answer


def refuse(constant: str) -> None:
    """What ``json.loads`` calls for a bare NaN or Infinity."""
    raise AssertionError(constant)
