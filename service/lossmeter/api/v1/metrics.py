"""POST /v1/metrics, and GET: which there are."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, WITHOUT_BODY, refusals
from lossmeter.api.schemas.catalogue import MetricCatalogue
from lossmeter.api.schemas.metrics import EXAMPLES, MetricsAnswer, MetricsRequest

router = APIRouter(route_class=DocumentRoute, tags=["monitoring"])


@router.post(
    "/metrics",
    response_model=MetricsAnswer,
    response_description="The metrics, and why those that are missing are.",
    responses=refusals(*WITH_BODY),
)
async def metrics(
    request: DocumentRequest, document: Annotated[MetricsRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Measure a batch: accuracy, calibration, ranking, and what else /v1/score has no loss for."""
    return await request.answer(lambda: monitoring.metrics(document, request.service.meter))


@router.get(
    "/metrics",
    response_model=MetricCatalogue,
    response_description="Every metric.",
    responses=refusals(*WITHOUT_BODY),
)
async def metric_catalogue(request: DocumentRequest) -> Response:
    """List every metric: name, formula and reference."""
    return await request.answer(monitoring.catalogue)
