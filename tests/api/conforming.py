"""Whether answers are what the OpenAPI document says."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from lossmeter.api.app import create_app
from lossmeter.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()


def conforms(answer: object, path: str, method: str = "post") -> None:
    """Fails where an answer is not what its schema says."""
    schema = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(answer)
