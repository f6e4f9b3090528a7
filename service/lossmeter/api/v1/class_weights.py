"""POST /v1/class-weights."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import scoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.class_weights import EXAMPLES, ClassWeightsAnswer, ClassWeightsRequest

router = APIRouter(route_class=DocumentRoute, tags=["distributions"])


@router.post(
    "/class-weights",
    response_model=ClassWeightsAnswer,
    response_description="One weight per class.",
    responses=refusals(*WITH_BODY),
)
async def class_weights(
    request: DocumentRequest, document: Annotated[ClassWeightsRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Weigh classes by how rare they are."""
    return await request.answer(lambda: scoring.class_weights(document, request.service.settings))
