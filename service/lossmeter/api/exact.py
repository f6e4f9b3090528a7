"""Paths without parameters, compared as they are before FastAPI looks for them.

FastAPI keeps included routers as a tree. For every request it asks each router of it whether it has changed, and
matches the routes on the way by regular expressions, twice: a third of the time of a small request. So the endpoints
of documents stand once more before the tree, each behind a comparison of strings. Any other request, also with
another method, finds the tree as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.routing import BaseRoute, Match

from lossmeter.api.bodies import DocumentRoute
from lossmeter.api.paths import path_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send


class Exact(BaseRoute):
    """A route behind its path.

    Attributes:
        path_format: the path, under the name by which FastAPI tells it in traces.
    """

    def __init__(self, path: str, route: DocumentRoute) -> None:
        self.path_format = path
        self._route = route
        self._methods = frozenset(route.methods or ())
        self._respond = route.get_route_handler()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is the path, and the method is one of the route's."""
        is_path = scope["type"] == "http" and path_of(scope) == self.path_format
        if is_path and scope["method"] in self._methods:
            return Match.FULL, {"endpoint": self._route.endpoint, "route": self._route, "path_params": {}}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the route answers; what it raises is answered further out, as for any route."""
        response = await self._respond(Request(scope, receive, send))
        await response(scope, receive, send)


def put_first(app: FastAPI) -> None:
    """Puts the endpoints of documents before all routes that the application has."""
    found = [(context.path or "", context.original_route) for context in iter_route_contexts(app.routes)]
    app.router.routes[:0] = [
        Exact(path, route) for path, route in found if isinstance(route, DocumentRoute) and "{" not in path
    ]
