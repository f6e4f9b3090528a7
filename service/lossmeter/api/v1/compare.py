"""POST /v1/compare."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.compare import EXAMPLES, CompareAnswer, ComparePairedAnswer, CompareRequest

router = APIRouter(route_class=DocumentRoute, tags=["monitoring"])


@router.post(
    "/compare",
    response_model=CompareAnswer | ComparePairedAnswer,
    response_description="How much worse, how sure, and why.",
    responses=refusals(*WITH_BODY),
)
async def compare(
    request: DocumentRequest, document: Annotated[CompareRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Say whether a window is worse than a reference, or a model than another on the same rows, and why.

    The windows are states of independent rows. For two models on the same rows, send the losses of both: how hard
    the rows are is then taken out, and much smaller differences are seen. The interval is in closed form, of a
    weighted mean of rows or of clusters, corrected for skewness; where that is not enough, `reason` says so.
    """
    return await request.answer(lambda: monitoring.compare(document))
