"""Spans, as a collector receives them from a real server that OpenTelemetry's own variables point at it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from prometheus import until
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BODY = {"logits": [[2.0, 4321.25]], "targets": [0], "labels": {"model": "secret-label"}}


class Collector(ThreadingHTTPServer):
    """Takes what is exported.

    Attributes:
        bodies: by path.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies: dict[str, list[bytes]] = {}

    def spans(self) -> list[Any]:
        """All spans so far."""
        bodies = self.bodies.get("/v1/traces", [])
        requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Taking(BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    server: Collector

    def do_POST(self) -> None:
        """Keeps the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Nothing: tests have no log."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens."""
    with Collector() as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def test_spans_of_a_request_lie_in_the_callers_trace(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request's own by its route, and below it parse, compute and encode; metrics go out too, payloads do not."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    with running() as server:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        httpx2.get(f"{server.url}/health/live", headers=headers, timeout=PATIENCE)
        answer = httpx2.post(f"{server.url}/v1/score", json=BODY, headers=headers, timeout=PATIENCE)
        until(lambda: len(collector.spans()) >= 4)
        until(lambda: "/v1/metrics" in collector.bodies)
    assert len(collector.spans()) == 4
    spans = {span.name: span for span in collector.spans()}
    assert spans.keys() == {"POST /v1/score", "parse", "compute", "encode"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    own = spans.pop("POST /v1/score")
    assert own.parent_span_id.hex() == PARENT
    assert {span.parent_span_id for span in spans.values()} == {own.span_id}
    assert answer.headers["traceparent"] == f"00-{TRACE}-{own.span_id.hex()}-01"
    assert answer.headers["X-Request-Id"] == TRACE
    metrics = [ExportMetricsServiceRequest.FromString(body) for body in collector.bodies["/v1/metrics"]]
    assert "http.server.request.duration" in str(metrics)
    assert b"secret-label" not in b"".join(body for bodies in collector.bodies.values() for body in bodies)
