"""What the OpenAPI document says beyond what FastAPI reads off the routes: problems, keys, people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from lossmeter.api import problems
from lossmeter.api.access import scopes
from lossmeter.api.paths import INFERENCE
from lossmeter.api.schemas.events import CloudEvent
from lossmeter.api.schemas.inference import InferenceError, InferRequest
from lossmeter.api.schemas.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from lossmeter.settings import Settings

DESCRIPTION: Final = """\
How wrong is a classifier? Post logits or probabilities and the truth; get the loss, the loss of every row, \
gradients and the KL breakdown, right to the last digits.

**Notation.** `Float[n, classes]` is a JSON array of `n` rows of `classes` numbers; one row is one example.

**Numbers** are IEEE doubles, read exactly and written so that reading them back gives the same double. \
Those that JSON has no literal for are the strings `"Infinity"`, `"-Infinity"` and `"NaN"`. `null` never \
stands for a number; leave a field out instead.

**Refusals** are `application/problem+json` (RFC 9457), with a JSON Pointer to every offender, 20 at most; \
under `/v2` they are `application/json` with one member, `error`. Scoring is pure: any request may be sent again.
"""

TAGS: Final = [
    {"name": "scoring", "description": "Losses, gradients and the KL breakdown of a batch."},
    {
        "name": "distributions",
        "description": "Softmax, divergences and class weights: what scoring is made of.",
    },
    {
        "name": "monitoring",
        "description": "Metrics of a batch, and states: what a batch leaves behind, that adds up with others, and "
        "from which losses, intervals and comparisons are made without the rows.",
    },
    {
        "name": "calibration",
        "description": "Whether a model is as sure as it is right, and what makes it so.",
    },
    {
        "name": "events",
        "description": "What inference servers log, paired with the truth when it comes, and scored.",
    },
    {
        "name": "inference protocol",
        "description": "The Open Inference Protocol V2, for clients of Triton, KServe and MLServer: every loss is a "
        "model.",
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
    400: ("The body is not what its Content-Type or Content-Encoding says, or is nested too deeply.", {}),
    401: (
        "No key was sent, or a token that is not good.",
        {"WWW-Authenticate": {"description": "How to send one.", "schema": {"type": "string"}}},
    ),
    403: ("The key is not known, or has not the scope.", {}),
    404: ("Events are not taken here: LOSSMETER_EVENTS_STORE is not set.", {}),
    406: ("The Accept header excludes what there is.", {}),
    413: ("More bytes than `max_body_bytes`, also decompressed, or more numbers than `max_elements`.", {}),
    415: (
        "The Content-Type or the Content-Encoding of the body is not one that is taken here.",
        {
            "Accept": {"description": "The media types that are taken.", "schema": {"type": "string"}},
            "Accept-Encoding": {"description": "The codings that are taken.", "schema": {"type": "string"}},
        },
    ),
    422: ("Well-formed, but not scorable: says which field, which element, and what would be accepted.", {}),
    429: ("This caller has too much in flight; nothing was computed.", _RETRY),
    500: ("The service failed; this is not the request's fault.", {}),
    503: ("This process has too much in flight; nothing was computed.", _RETRY),
}

_OF_INFERENCE: Final[Mapping[int, tuple[str, dict[str, Any]]]] = {
    400: ("The body breaks the protocol: no JSON, sizes that do not add up, a tensor without elements.", {}),
    404: ("There is no such model or version.", {}),
    415: (
        "The Content-Encoding is not known.",
        {"Accept-Encoding": {"description": "What is taken.", "schema": {"type": "string"}}},
    ),
    422: ("Well-formed, but not scorable: says which tensor and element, and what would be accepted.", {}),
}
"""What is different under /v2."""

WITH_BODY: Final = (400, 406, 413, 415, 422, 429, 500, 503)
WITHOUT_BODY: Final = (406, 429, 500)
WITH_KEYS: Final = (401, 403)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route for these statuses: problem+json and nothing else."""
    return {status: _refusal(status, problems.MEDIA_TYPE, Problem, _REFUSALS) for status in statuses}


def errors_of_inference(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for a route under /v2: JSON with ``error``."""
    return {
        status: _refusal(status, "application/json", InferenceError, {**_REFUSALS, **_OF_INFERENCE})
        for status in statuses
    }


def _refusal(
    status: int, media_type: str, model: type[BaseModel], table: Mapping[int, tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    description, headers = table[status]
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


class DocumentedAPI(FastAPI):
    """A FastAPI application whose OpenAPI document is complete."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            settings: Settings = self.state.service.settings
            document = super().openapi()
            _drop_default_refusals(document)
            _add_schemas(document)
            _add_keys(document, settings)
        return super().openapi()


def _drop_default_refusals(document: dict[str, Any]) -> None:
    """FastAPI documents a 422 of its own wherever a path has a parameter; ours are strings, which it never refuses."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in json.dumps(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _add_schemas(document: dict[str, Any]) -> None:
    """Those of no route's model: FastAPI would parse the request, and document Problem as application/json, too."""
    schemas = document["components"]["schemas"]
    for model in (Problem, InferenceError, InferRequest, CloudEvent):
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
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
            refused = errors_of_inference if path.startswith(INFERENCE) else refusals
            for operation in operations.values():
                # OpenAPI 3.1, Security Requirement Object: for these schemes, roles that the caller needs.
                roles = [] if need == scopes.ANY else [need]
                operation["security"] = [{"bearer": roles}, {"key": roles}]
                operation["responses"].update({str(status): refused(status)[status] for status in WITH_KEYS})


def _schemes(settings: Settings) -> dict[str, Any]:
    tokens = f", or a token (JWT) of {' or '.join(settings.jwt_issuers)}" if settings.jwt_issuers else ""
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": f"A key{tokens}."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key."},
    }
