"""Probes of the protocol: with bodies, which KServe's client reads."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from lossmeter.api.openapi import errors_of_inference
from lossmeter.api.schemas.inference import Liveness, ModelReadiness, Readiness
from lossmeter.api.v2 import models
from lossmeter.api.v2.models import PREFIX, ModelName, ModelVersion

router = APIRouter(prefix=PREFIX)

_WHY: Final = "Starting or stopping: send requests elsewhere."
_OF_MODEL: Final[dict[int | str, dict[str, Any]]] = {
    **errors_of_inference(*models.REFUSALS),
    503: {"model": ModelReadiness, "description": _WHY},
}


@router.get("/health/live", response_model=Liveness, response_description="The process lives.")
async def server_live() -> JSONResponse:
    """Whether the process answers at all; restart it if not."""
    return models.probe({"live": True}, good=True)


@router.get(
    "/health/ready",
    response_model=Readiness,
    response_description="Requests are welcome.",
    responses={503: {"model": Readiness, "description": _WHY}},
)
async def server_ready(request: Request) -> JSONResponse:
    """Whether requests should be sent here; 503 while the service starts or stops."""
    ready = models.is_ready(request)
    return models.probe({"ready": ready, "live": True}, good=ready)


@router.get(
    "/models/{model_name}/ready",
    response_model=ModelReadiness,
    response_description="Requests are welcome.",
    responses=_OF_MODEL,
)
async def model_ready(request: Request, model_name: ModelName) -> JSONResponse:
    """Whether requests to this model should be sent here."""
    return _model(request, model_name)


@router.get(
    "/models/{model_name}/versions/{model_version}/ready",
    response_model=ModelReadiness,
    response_description="Requests are welcome.",
    responses=_OF_MODEL,
)
async def model_version_ready(
    request: Request, model_name: ModelName, model_version: ModelVersion
) -> JSONResponse:
    """Whether requests to this version of this model should be sent here."""
    return _model(request, model_name, model_version)


def _model(request: Request, *named: str) -> JSONResponse:
    models.check(*named)
    ready = models.is_ready(request)
    return models.probe({"name": named[0], "ready": ready}, good=ready)
