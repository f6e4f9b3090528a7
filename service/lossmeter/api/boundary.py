"""The shell behind the counting: HTTP's rules of every server, and an answer even when the service itself fails."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from lossmeter.api import problems
from lossmeter.api.records import RECORD

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST: Final = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*")
"""RFC 3986, section 3.2.2: what a host and a port are made of."""

LOG: Final = logging.getLogger("lossmeter")


class Boundary:
    """Answers HEAD where GET is answered, 400 to a request for no host or several, and 500 to what nobody expected.

    Of that nothing is said to the caller. FastAPI's ``exception_handler(Exception)`` answers and raises on, which makes
    uvicorn close a connection that the client believes alive; its next request on it then fails.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; logs an exception with its traceback."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _of_host(scope)
        if refusal:
            headers = {"Connection": "close"}
            await problems.response(400, refusal, scope, headers=headers)(scope, receive, send)
            return
        # RFC 9110, section 9.1: "All general-purpose servers MUST support the methods GET and HEAD." Servers drop
        # the body.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._app(asked, receive, send)
        except Exception:
            # Half an answer cannot be taken back: the server has to cut the connection.
            if scope[RECORD].status:
                raise
            LOG.exception("unexpected error while answering %s %s", scope["method"], scope["path"])
            detail = "The service failed unexpectedly; this is not the request's fault."
            await problems.response(500, detail, scope)(scope, receive, send)


def _of_host(scope: Scope) -> str:
    """What is wrong with a request that does not name one host, which proxies and servers might take for another.

    RFC 9112, section 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
    message that lacks a Host header field and to any request message that contains more than one Host header field
    line or a Host header field with an invalid field value."
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    is_wanted = scope["http_version"] == "1.1"
    if len(hosts) > 1 or (is_wanted and not hosts) or not all(map(_HOST.fullmatch, hosts)):
        return f"One Host header that names a host is wanted; there are {len(hosts)}."
    return ""
