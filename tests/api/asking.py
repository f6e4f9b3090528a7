"""How tests ask the server, and read what it answers."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import httpx2

SMALL = {"logits": [[1.0, 2.0]], "targets": [0]}
"""A document that is scored."""


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


def plain(value: object) -> Any:  # noqa: ANN401 - a JSON value
    """A result of the engine as JSON has it: fields by name, but for what is None."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
