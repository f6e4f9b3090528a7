"""POST, GET and OPTIONS /v1/events: what inference servers log comes in, and what it came to goes out."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lossmeter.api import delivery
from lossmeter.api.bodies import DocumentRequest, DocumentRoute
from lossmeter.api.events import reported
from lossmeter.api.openapi import WITH_BODY, refusals
from lossmeter.api.schemas import events as schemas
from lossmeter.wire.cloudevents import BATCH, STRUCTURED

router = APIRouter(tags=["events"])

_EVENT: Final = {"$ref": "#/components/schemas/CloudEvent"}
_BYTES: Final = {"type": "string", "format": "binary"}


def _headers() -> list[dict[str, Any]]:
    """The attributes that binary mode has in headers."""
    told = {
        "ce-specversion": "Of binary mode: `1.0` or `0.3`.",
        "ce-type": "What the event tells of: `org.kubeflow.serving.inference.request` or `…response`, "
        "`io.seldon.serving.inference.request` or `…response`, `io.lossmeter.feedback`. Others are passed over.",
        "ce-id": "Alike in the request and the response of an inference (or `ce-requestid` is).",
        "ce-source": "Where it comes from.",
    }
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in told.items()
    ]


@router.post(
    "/events",
    response_model=schemas.EventsAnswer,
    response_description="What became of the events.",
    responses=refusals(404, *WITH_BODY),
    openapi_extra={
        "parameters": [*_headers(), *delivery.parameters(schemas.EventsQuery)],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": _EVENT, "examples": schemas.EXAMPLES},
                BATCH: {"schema": {"type": "array", "items": _EVENT}},
                "application/json": {
                    "schema": {"description": "Binary mode: what the model was sent, or answered."}
                },
                "application/octet-stream": {"schema": _BYTES},
            },
        },
    },
)
async def events(request: Request) -> Response:
    """Take what an inference server logs, and score it once its truth is known.

    CloudEvents in binary mode, as KServe's logger sends them, structured or in batches. Request and response of an
    inference have the same id; `/v1/feedback`, or an event of the type `io.lossmeter.feedback` with the same document
    as data, tells what was true. They may come in any order, and any number of times. Bodies may be in gzip without
    saying so, and JSON with binary tensors behind it without saying where it ends, as loggers have them. What was
    answered with 200 is on the disk.
    """
    return JSONResponse(await delivery.deliver(request))


@router.options("/events", include_in_schema=False)
async def handshake(request: Request) -> Response:
    """Whether events may be sent here: "HTTP 1.1 Web Hooks for Event Delivery", section 4."""
    origin = request.headers.get("webhook-request-origin")
    if origin is None:
        raise HTTPException(405, headers={"Allow": "GET, HEAD, POST, OPTIONS"})
    allowed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
    return Response(status_code=200, headers=allowed)


reports = APIRouter(route_class=DocumentRoute, tags=["events"])


@reports.get(
    "/events",
    response_model=schemas.EventsReport,
    response_description="The series, and what waits.",
    responses=refusals(404, 406, 422, 429, 500, 503),
    openapi_extra={"parameters": delivery.parameters(schemas.EventsReportQuery)},
)
async def event_report(request: DocumentRequest) -> Response:
    """Tell what events came to: loss, intervals and metrics of every series, over a period of days.

    With `include=state`, what /v1/compare takes: this week against the last.
    """
    service = request.service
    store = delivery.store_of(service)
    query = delivery.query_of(request, schemas.EventsReportQuery)
    states, usage = await store.read(query)
    document = await service.cores.begin(lambda: reported(states, usage, query))
    return await request.answer(lambda: document)


router.include_router(reports)
