"""Which door a request came in by: with a second port, pages and metrics are behind that one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from lossmeter.api import errors
from lossmeter.api.access import scopes
from lossmeter.api.paths import path_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Doors:
    """Answers 404 on the first port for what is on the second.

    The port is that of the socket, which no header can change.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is behind this door."""
        if scope["type"] == "http" and scopes.is_under(path_of(scope), scopes.MANAGEMENT):
            _, port = scope.get("server") or ("", None)
            if port != self._port:
                await errors.of(HTTPException(404), scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)
