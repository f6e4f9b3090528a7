"""POST /v1/expect."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import monitoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.expect import EXAMPLES, ExpectAnswer, ExpectRequest

router = APIRouter(route_class=DocumentRoute, tags=["calibration"])


@router.post(
    "/expect",
    response_model=ExpectAnswer,
    response_description="What the model itself expects of each loss.",
    responses=refusals(*WITH_BODY),
)
async def expect(
    request: DocumentRequest, document: Annotated[ExpectRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Say what loss a model expects by its own probabilities, without labels; with labels, how far off it was."""
    return await request.answer(lambda: monitoring.expect(document, request.service.settings))
