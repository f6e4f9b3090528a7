"""Spans inside a request's own, which FastAPI makes; nothing at all where nobody records any.

OpenTelemetry's own variables turn it on: ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its relatives, with ``lossmeter[otel]``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from opentelemetry import trace

import lossmeter

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span, Tracer


def current() -> tuple[str, str] | None:
    """The id of the trace that is being recorded, and what names our span in it to others (W3C traceparent)."""
    span = trace.get_current_span()
    if span is trace.INVALID_SPAN or not span.is_recording():
        return None
    context = span.get_span_context()
    trace_id = trace.format_trace_id(context.trace_id)
    return trace_id, f"00-{trace_id}-{trace.format_span_id(context.span_id)}-{context.trace_flags:02x}"


def span(name: str) -> AbstractContextManager[Span]:
    """A span of this name below the current one, for a block; errors in it are told by the request's own."""
    return _tracer().start_as_current_span(name, record_exception=False, set_status_on_exception=False)


@cache
def _tracer() -> Tracer:
    return trace.get_tracer("lossmeter", lossmeter.__version__)
