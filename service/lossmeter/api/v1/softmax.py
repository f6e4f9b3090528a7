"""POST /v1/softmax."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import scoring
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.softmax import EXAMPLES, SoftmaxAnswer, SoftmaxRequest

router = APIRouter(route_class=DocumentRoute, tags=["distributions"])


@router.post(
    "/softmax",
    response_model=SoftmaxAnswer,
    response_description="Probabilities and what belongs to them.",
    responses=refusals(*WITH_BODY),
)
async def softmax(
    request: DocumentRequest, document: Annotated[SoftmaxRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Turn logits into probabilities, through log-sum-exp: nothing overflows, and small ones stay exact."""
    return await request.answer(lambda: scoring.softmax(document, request.service.settings))
