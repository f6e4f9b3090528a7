"""The outermost middleware: every request is counted, timed, called by an id, and told to the log when it is over."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from lossmeter.api.records import RECORD, Records, headers_of
from lossmeter.observability.record import CURRENT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lossmeter.observability.log import Requests
    from lossmeter.observability.meter import Meter
    from lossmeter.observability.record import Record


class Watch:
    """Counts requests and answers, and gives every answer the request's id.

    Attributes:
        meter: what counts.
        log: who is told of each request.
    """

    def __init__(self, app: ASGIApp, meter: Meter, log: Requests) -> None:
        self.meter = meter
        self.log = log
        self._app = app
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
        token = CURRENT.set(record)
        try:
            await self._app(scope, _Ears(record, receive).receive, _Mouth(record, send).send)
        finally:
            CURRENT.reset(token)
            self._records.end(record)


class _Ears:
    """What is received, counted."""

    def __init__(self, record: Record, receive: Receive) -> None:
        self._record = record
        self._receive = receive

    async def receive(self) -> Message:
        begun = perf_counter()
        message = await self._receive()
        self._record.seconds["read"] += perf_counter() - begun
        self._record.received += len(message.get("body", b""))
        return message


class _Mouth:
    """What is sent, counted, under the request's id and in its trace; nothing after the server's own answer."""

    def __init__(self, record: Record, send: Send) -> None:
        self._record = record
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        record = self._record
        if record.status and not self._has_begun:
            return
        if message["type"] == "http.response.start":
            self._has_begun = True
            record.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *headers_of(record)]}
        else:
            record.sent += len(message.get("body", b""))
        begun = perf_counter()
        await self._send(message)
        record.seconds["write"] += perf_counter() - begun
