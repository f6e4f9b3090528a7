"""Probes: whether the process lives and wants requests. They never wait for scoring."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """What a probe is told."""

    status: Literal["ok", "starting", "stopping"] = Field(
        description="`ok`, or why no requests should be sent."
    )


@router.get("/live", response_model=Health, response_description="The process lives.")
async def live() -> JSONResponse:
    """Whether the process answers at all; restart it if not."""
    return _answer("ok")


@router.get(
    "/ready",
    response_model=Health,
    response_description="Requests are welcome.",
    responses={503: {"model": Health, "description": "Starting or stopping: send requests elsewhere."}},
)
async def ready(request: Request) -> JSONResponse:
    """Whether requests should be sent here; 503 while the service starts or stops."""
    return _answer(request.app.state.service.readiness.state)


def _answer(status: str) -> JSONResponse:
    # A cached probe would tell the past.
    return JSONResponse({"status": status}, 200 if status == "ok" else 503, {"Cache-Control": "no-store"})
