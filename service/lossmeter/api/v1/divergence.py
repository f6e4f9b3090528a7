"""POST /v1/divergence."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import scoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.divergence import EXAMPLES, DivergenceAnswer, DivergenceRequest

router = APIRouter(route_class=DocumentRoute, tags=["distributions"])


@router.post(
    "/divergence",
    response_model=DivergenceAnswer,
    response_description="Entropies and divergences of every row.",
    responses=refusals(*WITH_BODY),
)
async def divergence(
    request: DocumentRequest, document: Annotated[DivergenceRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Compare two distributions per row: entropies, KL both ways, Jensen-Shannon."""
    return await request.answer(lambda: scoring.divergence(document, request.service.settings))
