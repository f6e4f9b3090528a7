"""GET /metrics: for Prometheus."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """What all worker processes have counted, as Prometheus or OpenMetrics text."""
    meter = request.app.state.service.meter
    # It reads files and takes some milliseconds; it may not wait for a core, for it tells what happens under load.
    text, media_type = await anyio.to_thread.run_sync(meter.exposed, request.headers.get("accept", ""))
    return Response(text, media_type=None, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
