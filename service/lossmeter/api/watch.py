"""The outermost middleware: every request is counted, timed, called by an id, and told to the log when it is over."""

from __future__ import annotations

import random
import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from fastapi.routing import iter_route_contexts

from lossmeter.api import reasons
from lossmeter.api.access import scopes
from lossmeter.api.paths import path_of
from lossmeter.observability import traces
from lossmeter.observability.record import CURRENT, UNKNOWN, Record

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lossmeter.observability.log import Requests
    from lossmeter.observability.meter import Meter

SILENT: Final = (*scopes.PROBES, *scopes.METRICS)
"""What asks every few seconds, and is not logged."""

# RFC 9110, section 5.5, without what a log or a shell could stumble over; of callers that name requests at all.
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
# W3C Trace Context, section 3.2.2: version, trace, parent, flags; all zeros is no trace.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def is_silent(scope: MutableMapping[str, Any]) -> bool:
    """Whether nobody wants to hear of this request."""
    return path_of(scope) in SILENT


class Watch:
    """Counts requests and answers, and gives every answer the request's id.

    Attributes:
        meter: what counts.
        log: who is told of each request, if anyone is.
    """

    def __init__(self, app: ASGIApp, meter: Meter, log: Requests | None = None) -> None:
        self.meter = meter
        self.log = log
        self._app = app
        self._template: Callable[[str], str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = self._record(scope)
        token = CURRENT.set(record)
        self.meter.begun()
        try:
            await self._app(scope, _Ears(record, receive).receive, _Mouth(record, send).send)
        finally:
            CURRENT.reset(token)
            record.error = record.error or reasons.of_status(record.status)
            self.meter.ended(record)
            if record.error:
                self.meter.refused(record.route, record.error)
            if self.log is not None:
                self.log.tell(record, silent=record.route in SILENT)

    def _record(self, scope: Scope) -> Record:
        if self._template is None:
            self._template = templates(scope["app"].routes)
        record = Record(scope["method"], self._template(path_of(scope)))
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                record.request_id = value.decode()
            elif name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)):
                record.trace_id, record.traceparent = found[1].decode(), value.decode()
        recorded = traces.current()
        if recorded is not None:
            record.is_traced = True
            record.trace_id, record.traceparent = recorded
        if not record.request_id:
            record.request_id = record.trace_id or f"{random.getrandbits(128):032x}"
        return record


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
    """What is sent, counted, under the request's id and in its trace."""

    def __init__(self, record: Record, send: Send) -> None:
        self._record = record
        self._send = send

    async def send(self, message: Message) -> None:
        record = self._record
        if message["type"] == "http.response.start":
            record.status = message["status"]
            added = [(b"x-request-id", record.request_id.encode())]
            if record.traceparent:
                added.append((b"traceparent", record.traceparent.encode()))
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        else:
            record.sent += len(message.get("body", b""))
        begun = perf_counter()
        await self._send(message)
        record.seconds["write"] += perf_counter() - begun


def templates(routes: Sequence[BaseRoute]) -> Callable[[str], str]:
    """From a path to the template of its route, of which there are few; what has no route has none."""
    paths = [context.path_format for context in iter_route_contexts(routes) if context.path_format]
    fixed = {path: path for path in paths if "{" not in path}
    patterns = [
        (re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(path))), path) for path in paths if "{" in path
    ]

    def template(path: str) -> str:
        found = fixed.get(path)
        if found is None:
            found = next((name for pattern, name in patterns if pattern.fullmatch(path)), UNKNOWN)
        return found

    return template
