"""The outermost shell: HTTP's rules of every server, and an answer even when the service itself fails."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from lossmeter.api import problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST: Final = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*")
"""RFC 3986, section 3.2.2: what a host and a port are made of."""

LOG: Final = logging.getLogger("lossmeter")


class Boundary:
    """Answers 500 to whatever nobody expected, and says nothing of it to the caller.

    FastAPI's ``exception_handler(Exception)`` answers and raises on, which makes uvicorn close a
    connection that the client believes alive; its next request on it then fails.
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
            detail = "The service failed unexpectedly; this is not the request's fault."
            await problems.response(500, detail, scope)(scope, receive, send)


class Host:
    """Refuses a request that does not name one host, which proxies and servers might each take for another.

    RFC 9112, section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
    message that lacks a Host header field and to any request message that contains more than one Host header field
    line or a Host header field with an invalid field value."
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on whatever has one."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            is_wanted = scope["http_version"] == "1.1"
            if len(hosts) > 1 or (is_wanted and not hosts) or not all(map(_HOST.fullmatch, hosts)):
                detail = f"One Host header that names a host is wanted; there are {len(hosts)}."
                headers = {"Connection": "close"}
                await problems.response(400, detail, scope, headers=headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Head:
    """Answers HEAD wherever GET is answered; servers drop the body.

    RFC 9110, section 9.1: "All general-purpose servers MUST support the methods GET and HEAD."
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes HEAD on as GET."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
