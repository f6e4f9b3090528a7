"""The straight way to the endpoints of documents and to the models: paths without parameters, compared as they are.

FastAPI keeps included routers as a tree. For every request it asks each router of it whether it has changed, and
matches the routes on the way by regular expressions, twice; around them it keeps a stack for files and dependencies,
of which there are none here. All that takes a third of the time of a small request. So it is left out for these
endpoints; any other request, also with another method, goes through FastAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request

from lossmeter.api import errors
from lossmeter.api.bodies import DocumentRoute
from lossmeter.api.paths import path_of
from lossmeter.errors import LossmeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import Any

    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_TELEMETRY: Final = "fastapi.telemetry"
"""In the scope where FastAPI makes spans and metrics, to which its router tells the route."""


class Straight:
    """Answers what has a path of a document's endpoint, or of a model, and its method; passes on the rest."""

    def __init__(self, app: ASGIApp, models: Iterable[tuple[str, Handler]]) -> None:
        self._app = app
        self._models = {("POST", path): handler for path, handler in models}
        self._handlers: dict[tuple[str, str], Handler] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The endpoint's answer; what it raises is answered as FastAPI's handlers would."""
        handler = self._handler(scope) if scope["type"] == "http" and _TELEMETRY not in scope else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            response = await handler(Request(scope, receive, send))
        except (LossmeterError, HTTPException, MemoryError) as error:
            response = errors.of(error, scope)
        await response(scope, receive, send)

    def _handler(self, scope: Scope) -> Handler | None:
        if self._handlers is None:
            self._handlers = self._models | dict(_handlers(scope["app"]))
        return self._handlers.get((scope["method"], path_of(scope)))


def _handlers(app: FastAPI) -> Iterator[tuple[tuple[str, str], Handler]]:
    for context in iter_route_contexts(app.routes):
        path, route = context.path or "", context.original_route
        if isinstance(route, DocumentRoute) and "{" not in path:
            handler = route.get_route_handler()
            yield from (((method, path), handler) for method in route.methods or ())
