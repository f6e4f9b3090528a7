"""Refusals for load before a request becomes one: the server asks here as soon as it has read a head.

Under ten times the load that can be served, nine of ten requests are refused, and each that went through the whole
application would take its time from those that are served. What is refused here is counted, but not logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from lossmeter.api import errors, reasons
from lossmeter.api.limits import caller_of, declared_length
from lossmeter.api.paths import is_open, path_of
from lossmeter.api.watch import templates
from lossmeter.observability.record import Record

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Scope

    from lossmeter.api.service import Service

LARGE_BYTES: Final = 64 * 1024
"""Smaller bodies are served on the way, whatever else is going on."""


class Turnstile:
    """What lets a request in, or says at once that it must come again."""

    def __init__(self, app: FastAPI) -> None:
        self._service: Service = app.state.service
        self._template = templates(app.routes)

    def refusal(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body of the answer, if there is no room for this request.

        Args:
            scope: of ASGI, as far as the head tells.
        """
        length = declared_length(scope)
        if length <= LARGE_BYTES or is_open(scope):
            return None
        try:
            self._check(scope, length)
        except HTTPException as refusal:
            answer = errors.of(refusal, scope)
            self._count(scope, refusal.status_code)
            return answer.status_code, answer.raw_headers, bytes(answer.body)
        return None

    def _check(self, scope: Scope, length: int) -> None:
        if not self._service.settings.asks_for_key:
            self._service.load.check_caller(caller_of(scope))
        self._service.load.check_room(min(length, self._service.settings.max_body_bytes))
        self._service.cores.check_room()

    def _count(self, scope: Scope, status: int) -> None:
        record = Record(scope["method"], self._template(path_of(scope)))
        record.status = status
        self._service.meter.begun()
        self._service.meter.ended(record)
        self._service.meter.refused(record.route, reasons.of_status(status))
