"""Problem details (RFC 9457) as responses: short, safe to show, never larger than 16 KiB.

Under /v2 they are what the Open Inference Protocol has in their place: a JSON object with ``error``.
"""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np
from starlette.responses import Response

from lossmeter.api.paths import is_inference
from lossmeter.errors import ABSENT
from lossmeter.observability.record import CURRENT
from lossmeter.wire.json import TooLargeNumber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Scope

    from lossmeter.errors import InvalidInputError, Problem

MEDIA_TYPE: Final = "application/problem+json"

LARGEST_ANSWER: Final = 16 * 1024
LONGEST_VALUE: Final = 64
LONGEST_POINTER: Final = 256
LONGEST_DETAIL: Final = 512

# RFC 9110 renamed these two; Python's http module follows from 3.13 on.
_TITLES: Final[Mapping[int, str]] = {413: "Content Too Large", 422: "Unprocessable Content"}


def title(status: int) -> str:
    """The phrase that RFC 9110 gives this status."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def response(  # noqa: PLR0913 - the members of a problem
    status: int,
    detail: str,
    scope: Scope,
    *,
    errors: Sequence[dict[str, Any]] = (),
    count: int = 0,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """The response that carries this problem; errors are dropped from the end until it is small enough."""
    if is_inference(scope):
        return _of_inference(status, detail, headers)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": cut(detail, LONGEST_DETAIL),
        "instance": cut(quote(scope.get("path", "")), LONGEST_POINTER),
        **_ids(),
        **(members or {}),
    }
    listed = list(errors)
    while True:
        if listed:
            document["errors"], document["count"] = listed, count
        # ASCII with escapes, because a lone surrogate of the request has no UTF-8.
        body = json.dumps(document, allow_nan=False).encode("ascii")
        if len(body) <= LARGEST_ANSWER or not listed:
            return Response(body, status, headers, MEDIA_TYPE)
        listed.pop()


def _ids() -> dict[str, str]:
    """By what the request is called in our log, and in the caller's trace if there is one."""
    record = CURRENT.get()
    if record is None:
        return {}
    return {"request_id": record.request_id} | ({"trace_id": record.trace_id} if record.trace_id else {})


def _of_inference(status: int, detail: str, headers: Mapping[str, str] | None) -> Response:
    """A refusal under /v2: KServe's client reads ``error`` only where the Content-Type is exactly this one."""
    body = json.dumps({"error": cut(detail, LONGEST_DETAIL)}).encode("ascii")
    return Response(body, status, headers, "application/json")


def of_invalid_input(error: InvalidInputError, scope: Scope) -> Response:
    """The 422 that names the first offenders."""
    return response(
        422, str(error), scope, errors=[entry(found) for found in error.problems], count=error.count
    )


def entry(problem: Problem) -> dict[str, Any]:
    """One offender as JSON, cut where it is long."""
    found = {"pointer": cut(problem.pointer, LONGEST_POINTER), "detail": cut(problem.detail, LONGEST_DETAIL)}
    shown = _shown(problem.value)
    return found if shown is ABSENT else found | {"value": shown}


def _shown(value: object) -> object:
    """The value as JSON that costs little: scalars and short strings; arrays and objects are not repeated."""
    match value:
        case np.generic():
            return _shown(value.item())
        case TooLargeNumber():
            return cut(value.literal, LONGEST_VALUE)
        case str():
            return cut(value, LONGEST_VALUE)
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bool() | int() | float() | None:
            return value
        case _:
            return ABSENT


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
