"""POST /v1/report."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.report import EXAMPLES, ReportAnswer, ReportRequest

router = APIRouter(route_class=DocumentRoute, tags=["monitoring"])


@router.post(
    "/report",
    response_model=ReportAnswer,
    response_description="What the state says.",
    responses=refusals(*WITH_BODY),
)
async def report(
    request: DocumentRequest, document: Annotated[ReportRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Turn a state into loss, intervals, quantiles and metrics, as if its rows had been sent again."""
    return await request.answer(lambda: monitoring.report(document))
