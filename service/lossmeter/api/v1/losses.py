"""GET /v1/losses."""

from fastapi import APIRouter, Response

from lossmeter.api import scoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITHOUT_BODY, refusals
from lossmeter.api.schemas.catalogue import LossCatalogue

router = APIRouter(route_class=DocumentRoute, tags=["scoring"])


@router.get(
    "/losses",
    response_model=LossCatalogue,
    response_description="Every loss.",
    responses=refusals(*WITHOUT_BODY),
)
async def losses(request: DocumentRequest) -> Response:
    """List every loss: name, formula, parameters and reference."""
    return await request.answer(scoring.losses)
