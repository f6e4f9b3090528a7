"""Requests that are refused before they become one for the application: the server asks here, and is told what to say.

Under ten times the load that can be served, nine of ten requests are refused, and each that went through the whole
application would take its time from those that are served. What is refused here is counted and logged like the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.exceptions import HTTPException

from lossmeter.api import errors, problems, reasons
from lossmeter.api.access.headers import secured
from lossmeter.api.limits import LARGE_BYTES, caller_of, declared_length
from lossmeter.api.paths import is_open
from lossmeter.api.records import RECORD, Records, headers_of
from lossmeter.observability.log import Requests
from lossmeter.observability.record import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import Scope

    from lossmeter.api.service import Service
    from lossmeter.observability.record import Record

Refusal: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body of an answer."""


class Turnstile:
    """What lets a request in, or says at once that it must come again; and what the server's own refusals look like."""

    def __init__(self, app: FastAPI) -> None:
        self._service: Service = app.state.service
        self._records = Records(app.routes, self._service.meter, Requests())

    def ask(self, scope: Scope) -> Refusal | None:
        """The answer, if there is no room for this request.

        Args:
            scope: of ASGI, as far as the head tells.
        """
        length = declared_length(scope)
        if length <= LARGE_BYTES or is_open(scope):
            return None
        try:
            self._check(scope, length)
        except HTTPException as refusal:
            of_load = refusal
            record = self._records.begin(scope)
            answer = _said(record, lambda: errors.of(of_load, scope))
            self._records.end(record)
            return answer
        return None

    def refuse(self, status: int, detail: str, scope: MutableMapping[str, Any], seconds: float) -> Refusal:
        """The answer to what the server does not take: no HTTP, too slow, or too large around the body.

        Args:
            status: of the answer.
            detail: what is wrong with it.
            scope: of ASGI, as far as the head tells.
            seconds: since it began.
        """
        known: Record | None = scope.get(RECORD)
        record = known or self._records.begin(scope)
        answer = _said(record, lambda: problems.response(status, detail, scope))
        record.error = reasons.of_status(status)
        if known is None:
            record.begun -= seconds
            self._records.end(record)
        return answer

    def _check(self, scope: Scope, length: int) -> None:
        # Behind one address there may be the holders of many keys, which have not been looked at yet.
        caller = None if self._service.settings.asks_for_key else caller_of(scope)
        self._service.load.check_caller(caller)
        size = min(length, self._service.settings.max_body_bytes)
        self._service.load.check_room(caller, size, size)
        self._service.cores.check_room()


def _said(record: Record, answered: Callable[[], Response]) -> Refusal:
    """The answer, with what every answer has; an answer that has begun keeps its status in the record."""
    token = CURRENT.set(record)
    try:
        answer = answered()
    finally:
        CURRENT.reset(token)
    if not record.status:
        record.status, record.sent = answer.status_code, len(answer.body)
    return answer.status_code, [*secured(answer.raw_headers), *headers_of(record)], bytes(answer.body)
