"""What becomes of requests: a record is begun when a head is there, counted and told to the log when it is answered."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, Final

from fastapi.routing import iter_route_contexts

from lossmeter.api import reasons
from lossmeter.api.access import scopes
from lossmeter.api.paths import path_of
from lossmeter.observability import traces
from lossmeter.observability.record import UNKNOWN, Record

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from starlette.routing import BaseRoute

    from lossmeter.observability.log import Requests
    from lossmeter.observability.meter import Meter

SILENT: Final = (*scopes.PROBES, *scopes.METRICS)
"""What asks every few seconds, and is not logged."""

RECORD: Final = "lossmeter.record"
"""Where a request's scope has its record."""

# RFC 9110, section 5.5, without what a log or a shell could stumble over; of callers that name requests at all.
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
# W3C Trace Context, section 3.2.2: version, trace, parent, flags; all zeros is no trace.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def is_silent(scope: MutableMapping[str, Any]) -> bool:
    """Whether nobody wants to hear of this request."""
    return path_of(scope) in SILENT


def headers_of(record: Record) -> list[tuple[bytes, bytes]]:
    """By what an answer tells which request it is for."""
    named = [(b"x-request-id", record.request_id.encode())]
    return [*named, (b"traceparent", record.traceparent.encode())] if record.traceparent else named


class Records:
    """Begins and ends them."""

    def __init__(self, routes: Sequence[BaseRoute], meter: Meter, log: Requests) -> None:
        self._template = _templates(routes)
        self._meter = meter
        self._log = log

    def begin(self, scope: MutableMapping[str, Any]) -> Record:
        """The record of a request, as far as its head has told."""
        record = Record(scope.get("method", ""), self._template(path_of(scope)))
        for name, value in scope.get("headers", ()):
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
        scope[RECORD] = record
        self._meter.begun()
        return record

    def end(self, record: Record) -> None:
        """It is answered, or refused, or its caller is gone."""
        record.error = record.error or reasons.of_status(record.status)
        self._meter.ended(record)
        if record.error:
            self._meter.refused(record.route, record.error)
        self._log.tell(record, silent=record.route in SILENT)


def _templates(routes: Sequence[BaseRoute]) -> Callable[[str], str]:
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
