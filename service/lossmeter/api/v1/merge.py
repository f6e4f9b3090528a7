"""POST /v1/merge."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.merge import EXAMPLES, MergeAnswer, MergeRequest

router = APIRouter(route_class=DocumentRoute, tags=["monitoring"])


@router.post(
    "/merge",
    response_model=MergeAnswer,
    response_description="The state of all the rows behind these.",
    responses=refusals(*WITH_BODY),
)
async def merge(
    request: DocumentRequest, document: Annotated[MergeRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Add up states: any number, in any order and grouping, to the same bytes."""
    return await request.answer(lambda: monitoring.merge(document))
