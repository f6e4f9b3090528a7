"""The outermost middleware: every request is counted, timed, called by an id, and told to the log when it is over.

Here every answer gets what all of them have: the request's id, and the headers that browsers heed.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from lossmeter.api.access.headers import HEADERS, STRICT_TRANSPORT, secured
from lossmeter.api.records import RECORD, Records, headers_of
from lossmeter.observability.record import CURRENT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lossmeter.api.access.headers import Header
    from lossmeter.observability.log import Requests
    from lossmeter.observability.meter import Meter
    from lossmeter.observability.record import Record


class Watch:
    """Counts requests and answers, and gives every answer the request's id.

    Attributes:
        meter: what counts.
        log: who is told of each request.
    """

    def __init__(self, app: ASGIApp, meter: Meter, log: Requests, *, tls: bool) -> None:
        self.meter = meter
        self.log = log
        self._app = app
        self._headers = (*HEADERS, STRICT_TRANSPORT) if tls else HEADERS
        self._records: Records | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, unless the server has refused it already."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if RECORD in scope:
            return
        if self._records is None:
            self._records = Records(scope["app"].routes, self.meter, self.log)
        record = self._records.begin(scope)
        between = _Between(record, receive, send, self._headers)
        token = CURRENT.set(record)
        try:
            await self._app(scope, between.receive, between.send)
        finally:
            CURRENT.reset(token)
            self._records.end(record)


class _Between:
    """What is received and sent, counted; nothing is sent after the server's own answer."""

    __slots__ = ("_has_begun", "_headers", "_receive", "_record", "_send")

    def __init__(self, record: Record, receive: Receive, send: Send, headers: tuple[Header, ...]) -> None:
        self._record = record
        self._receive = receive
        self._send = send
        self._headers = headers
        self._has_begun = False

    async def receive(self) -> Message:
        record, begun = self._record, perf_counter()
        message = await self._receive()
        record.took("read", perf_counter() - begun)
        record.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        record = self._record
        if record.status and not self._has_begun:
            return
        if message["type"] == "http.response.start":
            self._has_begun = True
            record.status = message["status"]
            headers = secured(message.get("headers", ()), self._headers)
            headers += headers_of(record)
            message = {**message, "headers": headers}
        else:
            record.sent += len(message.get("body", b""))
        begun = perf_counter()
        await self._send(message)
        record.took("write", perf_counter() - begun)
