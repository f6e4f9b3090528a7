"""The one table: which exception becomes which status. Everything becomes problem+json."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lossmeter.api import problems
from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG: Final = logging.getLogger("lossmeter")

STATUS: Final[Mapping[type[LossmeterError], int]] = {
    MalformedBodyError: 400,
    TooLargeError: 413,
    InvalidInputError: 422,
}

_SENTENCES: Final[Mapping[int, str]] = {
    404: "There is nothing here; /openapi.json lists what there is.",
    405: "This path does not take this method; the Allow header lists those that it takes.",
}


class RefusedBodyError(HTTPException):
    """Carries what went wrong while a body was read through FastAPI, which turns any other exception into its own 400.

    Attributes:
        error: what really went wrong.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(400)
        self.error = error


def add_error_handlers(app: FastAPI) -> None:
    """Answer every refusal as a problem."""
    app.add_exception_handler(LossmeterError, _handler)
    app.add_exception_handler(HTTPException, _handler)
    app.add_exception_handler(RequestValidationError, _handler)


async def _handler(request: Request, error: Exception) -> Response:
    return of(error, request.scope)


def of(error: Exception, scope: Scope) -> Response:
    """The response to an exception; one that is not in the table is raised on, to become a 500."""
    match error:
        case RefusedBodyError():
            return of(error.error, scope)
        case InvalidInputError():
            return problems.of_invalid_input(error, scope)
        case LossmeterError():
            return problems.response(STATUS[type(error)], str(error), scope)
        case HTTPException():
            detail = _SENTENCES.get(error.status_code, error.detail)
            return problems.response(error.status_code, detail, scope, headers=error.headers)
        case RequestValidationError():
            # Bodies are read and checked before FastAPI sees them; what it still refuses was not read as JSON.
            return problems.response(415, "The Content-Type header cannot be read.", scope)
        case _:
            raise error


class Boundary:
    """Answers 500 to whatever nobody expected, and says nothing of it to the caller.

    FastAPI's ``exception_handler(Exception)`` answers and raises on, which makes uvicorn close a connection that
    the client believes alive; its next request on it then fails.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; logs an exception with its traceback."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            # Half an answer cannot be taken back: the server has to cut the connection.
            if scope["type"] != "http" or started:
                raise
            LOG.exception("unexpected error while answering %s %s", scope["method"], scope["path"])
            answer = problems.response(
                500, "The service failed unexpectedly; this is not the request's fault.", scope
            )
            await answer(scope, receive, send)


class Head:
    """Answers HEAD wherever GET is answered (RFC 9110, section 9.1: both must be supported); servers drop the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes HEAD on as GET."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


def http(status: int, detail: str, **headers: Any) -> HTTPException:  # noqa: ANN401 - header values
    """An HTTPException whose headers are written with underscores."""
    return HTTPException(
        status, detail, {name.replace("_", "-"): str(value) for name, value in headers.items()}
    )
