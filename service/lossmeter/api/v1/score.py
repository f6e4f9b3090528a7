"""POST /v1/score."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import scoring
from lossmeter.api.bodies import BatchRoute, DocumentRequest
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.formats import ANSWERS, BODIES, parameters
from lossmeter.api.schemas.score import EXAMPLES, ScoreAnswer, ScoreRequest

router = APIRouter(route_class=BatchRoute, tags=["scoring"])


@router.post(
    "/score",
    response_model=ScoreAnswer,
    response_description="The loss, and what was asked for in `include`.",
    responses={200: {"content": ANSWERS}, **refusals(*WITH_BODY)},
    openapi_extra={"parameters": parameters(ScoreRequest), "requestBody": {"content": BODIES}},
)
async def score(
    request: DocumentRequest, document: Annotated[ScoreRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Score a batch of classifier outputs against the truth.

    With targets t (after smoothing), class weights w and sample weight v, a row costs v Σ_c w_c t_c φ(log
    p_c) where the loss is such a sum (cross-entropy, focal, poly-1, generalized cross-entropy; binary
    losses per label), else v (Σ_c w_c t_c) times its loss; its weight is v Σ_c w_c t_c. So the same truth
    costs the same whether it is sent as an index or as one-hot, and with `mean`, loss × denominator is the
    sum of `losses`.
    """
    return await request.answer(
        lambda: scoring.score(document, request.service.settings, request.service.meter)
    )
