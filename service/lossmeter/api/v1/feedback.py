"""POST /v1/feedback."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from lossmeter.api import delivery
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas.events import FEEDBACK_EXAMPLES, FeedbackAnswer, FeedbackRequest

router = APIRouter(route_class=DocumentRoute, tags=["events"])


@router.post(
    "/feedback",
    response_model=FeedbackAnswer,
    response_description="What became of it.",
    responses=refusals(404, *WITH_BODY),
)
async def feedback(
    request: DocumentRequest, document: Annotated[FeedbackRequest, Body(openapi_examples=FEEDBACK_EXAMPLES)]
) -> Response:
    """Tell what was true of an inference that /v1/events hears of, or will hear of.

    Every prediction with this id is scored, also those of other models that were asked under it. The same again changes
    nothing. Another truth replaces one that no prediction has met yet; later, it is refused: the first one holds.
    """
    outcome = await delivery.tell(request.service, document)
    return await request.answer(lambda: outcome)
