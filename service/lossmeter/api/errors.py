"""The one table: which exception becomes which status. Everything becomes problem+json."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from lossmeter.api import problems, reasons
from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

LOG: Final = logging.getLogger("lossmeter")

STATUS: Final[Mapping[type[LossmeterError], int]] = {
    MalformedBodyError: 400,
    TooLargeError: 413,
    InvalidInputError: 422,
}

LIMITS: Final = ("max_body_bytes", "max_elements")
"""The settings that a 413 carries as members."""

RETRY_AFTER: Final = {"Retry-After": "1"}

_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_SENTENCES: Final[Mapping[int, str]] = {
    404: "There is nothing here; /openapi.json lists what there is.",
    405: "This path does not take this method; the Allow header lists those that it takes.",
}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refusal as a problem."""
    app.add_exception_handler(LossmeterError, _handler)
    app.add_exception_handler(HTTPException, _handler)
    app.add_exception_handler(RequestValidationError, _handler)
    app.add_exception_handler(MemoryError, _handler)


async def _handler(request: Request, error: Exception) -> Response:
    return of(error, request.scope)


def of(error: Exception, scope: Scope) -> Response:
    """The response to an exception; one that is not in the table is raised on, to become a 500."""
    reasons.note(error)
    match error:
        case InvalidInputError():
            return problems.of_invalid_input(error, scope)
        case LossmeterError():
            return _response(STATUS[type(error)], str(error), scope)
        case HTTPException():
            is_plain = error.detail == HTTPStatus(error.status_code).phrase
            detail = _SENTENCES.get(error.status_code, error.detail) if is_plain else error.detail
            return _response(error.status_code, detail, scope, _headers(error, scope))
        case RequestValidationError():
            # Bodies are checked before FastAPI sees them; what it refuses was not read as JSON.
            return problems.response(415, "The Content-Type header cannot be read.", scope)
        case MemoryError():
            # Others may have let go of theirs in a moment, or another process has some.
            LOG.warning("out of memory while answering %s %s: %s", scope["method"], scope["path"], error)
            return _response(503, "There is too little memory for this just now.", scope, RETRY_AFTER)
        case _:
            raise error


def _response(status: int, detail: str, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """What is too large is told what would not be, for programs to read: they can send it in parts."""
    members = {}
    if status == STATUS[TooLargeError]:
        settings = scope["app"].state.service.settings
        members = {name: getattr(settings, name) for name in LIMITS}
    return problems.response(status, detail, scope, headers=headers, members=members)


def _headers(error: HTTPException, scope: Scope) -> dict[str, str]:
    """Those of the exception; a router knows the methods of the first route of a path, and there may be others."""
    headers = dict(error.headers or {})
    return headers | {"Allow": ", ".join(_allowed(scope))} if "Allow" in headers else headers


def _allowed(scope: Scope) -> list[str]:
    """The methods that are answered at this path; where GET is, HEAD is."""
    asked = {**scope, "path_params": {}}
    found = [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in scope["app"].routes)
    ]
    return [*found, "HEAD"] if "GET" in found and "HEAD" not in found else found
