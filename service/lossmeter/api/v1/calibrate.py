"""POST /v1/calibrate."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.calibrate import EXAMPLES, CalibrateAnswer, CalibrateRequest

router = APIRouter(route_class=DocumentRoute, tags=["calibration"])


@router.post(
    "/calibrate",
    response_model=CalibrateAnswer,
    response_description="What these rows ask for.",
    responses=refusals(*WITH_BODY),
)
async def calibrate(
    request: DocumentRequest, document: Annotated[CalibrateRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Fit a temperature, or a scale and a bias per class, that makes the probabilities as sure as they are right."""
    return await request.answer(lambda: monitoring.calibrate(document, request.service.settings))
