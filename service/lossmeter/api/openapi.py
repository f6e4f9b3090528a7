"""What the OpenAPI document says beyond what FastAPI reads off the routes: problems, keys, people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from lossmeter.api import problems
from lossmeter.api.access import scopes
from lossmeter.api.schemas.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.settings import Settings

DESCRIPTION: Final = """\
How wrong is a classifier? Post logits or probabilities and the truth; get the loss, the loss of every row, \
gradients and the KL breakdown, right to the last digits.

**Notation.** `Float[n, classes]` is a JSON array of `n` rows of `classes` numbers; one row is one example.

**Numbers** are IEEE doubles, read exactly and written so that reading them back gives the same double. \
Those that JSON has no literal for are the strings `"Infinity"`, `"-Infinity"` and `"NaN"`. `null` never \
stands for a number; leave a field out instead.

**Refusals** are `application/problem+json` (RFC 9457), with a JSON Pointer to every offender, 20 at most. \
Scoring is pure: any request may be sent again.
"""

TAGS: Final = [
    {"name": "scoring", "description": "Losses, gradients and the KL breakdown of a batch."},
    {
        "name": "distributions",
        "description": "Softmax, divergences and class weights: what scoring is made of.",
    },
    {
        "name": "health",
        "description": "Probes for an orchestrator; they need no key and never wait for scoring.",
    },
]

_RETRY: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
}

_REFUSALS: Final[Mapping[int, tuple[str, dict[str, Any]]]] = {
    400: ("The body is not JSON, not UTF-8, or nested too deeply.", {}),
    401: (
        "No key was sent, or a token that is not good.",
        {"WWW-Authenticate": {"description": "How to send one.", "schema": {"type": "string"}}},
    ),
    403: ("The key is not known, or has not the scope.", {}),
    406: ("The Accept header excludes JSON.", {}),
    413: ("More bytes than `max_body_bytes`, or more numbers than `max_elements`.", {}),
    415: (
        "The body is not declared as `application/json`, or is encoded.",
        {"Accept": {"description": "What is taken.", "schema": {"type": "string"}}},
    ),
    422: ("Well-formed, but not scorable: says which field, which element, and what would be accepted.", {}),
    429: ("This caller has too much in flight; nothing was computed.", _RETRY),
    500: ("The service failed; this is not the request's fault.", {}),
    503: ("This process has too much in flight; nothing was computed.", _RETRY),
}

WITH_BODY: Final = (400, 406, 413, 415, 422, 429, 500, 503)
WITHOUT_BODY: Final = (406, 429, 500)
WITH_KEYS: Final = (401, 403)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for these statuses: problem+json and nothing else."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    description, headers = _REFUSALS[status]
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


class DocumentedAPI(FastAPI):
    """A FastAPI application whose OpenAPI document is complete."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            settings: Settings = self.state.service.settings
            document = super().openapi()
            _add_problems(document)
            _add_keys(document, settings)
        return super().openapi()


def _add_problems(document: dict[str, Any]) -> None:
    """Problem is the schema of no route's model: FastAPI would document it as application/json, too."""
    schema = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = document["components"]["schemas"]
    schemas.update(schema.pop("$defs"), Problem=schema)
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _add_keys(document: dict[str, Any], settings: Settings) -> None:
    """How to send a key, or that none is asked: left out, it would be unsaid rather than none."""
    document["security"] = []
    if not settings.asks_for_key:
        return
    document["components"]["securitySchemes"] = _schemes(settings)
    for path, operations in document["paths"].items():
        need = scopes.needed(path, settings)
        if need:
            for operation in operations.values():
                # OpenAPI 3.1, Security Requirement Object: for these schemes, roles that the caller needs.
                roles = [] if need == scopes.ANY else [need]
                operation["security"] = [{"bearer": roles}, {"key": roles}]
                operation["responses"].update({str(status): _refusal(status) for status in WITH_KEYS})


def _schemes(settings: Settings) -> dict[str, Any]:
    tokens = f", or a token (JWT) of {' or '.join(settings.jwt_issuers)}" if settings.jwt_issuers else ""
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": f"A key{tokens}."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key."},
    }
