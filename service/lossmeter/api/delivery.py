"""From an HTTP message to what its events tell, and from what became of them to an answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lossmeter.api import coding, negotiation, presence, problems, query, scoring
from lossmeter.api.bodies import INLINE_BYTES
from lossmeter.api.events import OFF
from lossmeter.api.fields import field
from lossmeter.api.schemas import document as documents
from lossmeter.api.schemas.events import EventsQuery, FeedbackRequest
from lossmeter.errors import MOST_PROBLEMS, InvalidInputError, LossmeterError, Problem
from lossmeter.events import payloads
from lossmeter.events.exchange import Prediction, Truth, cleaned
from lossmeter.events.pairing import Outcome
from lossmeter.events.payloads import FEEDBACK, Bounds
from lossmeter.wire import cloudevents
from lossmeter.wire.oip import Limits, logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from lossmeter.api.events import Events
    from lossmeter.api.service import Service
    from lossmeter.events.exchange import Found
    from lossmeter.events.payloads import Meaning
    from lossmeter.settings import Settings
    from lossmeter.wire.cloudevents import Event

    Read = Found | LossmeterError | None

D = TypeVar("D", bound=documents.Document)

_MODES: Final = (cloudevents.STRUCTURED, cloudevents.BATCH)
_COUNTED: Final = ("waiting", "scored", "duplicate", "passed_over", "refused")


def store_of(service: Service) -> Events:
    """Where events wait.

    Raises:
        HTTPException: 404, nowhere.
    """
    if service.events is None:
        raise HTTPException(404, OFF)
    return service.events


def query_of(request: Request, model: type[D]) -> D:
    """The query as a document of this model.

    Raises:
        InvalidInputError: what is wrong with it.
    """
    return documents.read(model, query.options(request.scope["query_string"]), {})


def parameters(model: type[documents.Document]) -> list[dict[str, Any]]:
    """The same for OpenAPI."""
    schema = model.model_json_schema()
    found = []
    for name, described in schema["properties"].items():
        shape = {key: value for key, value in described.items() if key not in ("description", "title")}
        found.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": described["description"],
                "schema": shape,
            }
        )
        if described.get("type") == "object":
            found[-1] |= {"content": {"application/json": {"schema": found[-1].pop("schema")}}}
        elif described.get("type") == "array":
            found[-1] |= query.AS_LIST
    return found


async def deliver(request: Request) -> dict[str, Any]:
    """Takes the events of a request.

    Raises:
        LossmeterError: it holds no CloudEvents, or a single one that is refused.
        HTTPException: its media type, or its coding, is not taken; there is no room.
    """
    service: Service = request.app.state.service
    store = store_of(service)
    negotiation.check_accept(field(request.scope, b"accept"))
    media_type = _media_type(request)
    meaning = replace(store.meaning, **query_of(request, EventsQuery).arguments())
    body = await _body(request)

    def read() -> list[Read]:
        settings = service.settings
        limits = Limits(settings.max_elements, settings.max_depth)
        found = cloudevents.read(request.headers.items(), media_type, body, limits)
        return [_read(event, meaning, settings) for event in found]

    found = await service.cores.begin(read) if len(body) > INLINE_BYTES else read()
    told = [each for each in found if each is not None and not isinstance(each, LossmeterError)]
    became = iter(await store.take(told) if told else ())
    outcomes = [
        each if each is None or isinstance(each, LossmeterError) else _blamed(each, next(became))
        for each in found
    ]
    answer = _answer(outcomes)
    service.meter.took({name: answer[name] for name in _COUNTED})
    if media_type != cloudevents.BATCH:
        for error in (each for each in outcomes if isinstance(each, LossmeterError)):
            raise error
    return answer


async def tell(service: Service, document: FeedbackRequest) -> dict[str, Any]:
    """Takes what was true.

    Raises:
        InvalidInputError: it does not fit what was predicted, or contradicts what was told before.
        HTTPException: there is no store, or no room.
    """
    (outcome,) = await store_of(service).take([_truth(document)])
    if isinstance(outcome, InvalidInputError):
        service.meter.took({"refused": 1})
        raise outcome
    service.meter.took({outcome.name: 1})
    return {"outcome": outcome.name, "rows": outcome.rows}


def _media_type(request: Request) -> str:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent.startswith(cloudevents.FAMILY) and sent not in _MODES:
        taken = ", ".join(_MODES)
        raise HTTPException(415, f"CloudEvents of {taken} are taken, not {sent[:64]}.", {"Accept": taken})
    return sent


async def _body(request: Request) -> bytes:
    try:
        return bytes(
            await coding.received(
                request, negotiation.check_coding(field(request.scope, b"content-encoding"))
            )
        )
    except ClientDisconnect:
        raise presence.gone() from None


def _read(event: Event, meaning: Meaning, settings: Settings) -> Read:
    """What an event tells, nothing, or why it is refused."""
    bounds = Bounds(settings.max_body_bytes, settings.max_elements, settings.max_depth, settings.max_classes)
    try:
        if event.type == FEEDBACK:
            return _truth(_feedback(event, settings))
        return payloads.found(event, meaning, bounds)
    except LossmeterError as error:
        return error


def _feedback(event: Event, settings: Settings) -> FeedbackRequest:
    data = event.data
    if data is None or isinstance(data, bytes):
        limits = Limits(settings.max_elements, settings.max_depth)
        data, _ = logged.split(logged.unpacked(data or b"", settings.max_body_bytes), limits)
    try:
        return scoring.read(FeedbackRequest, data, settings)
    except InvalidInputError as error:
        raise _under("data", error) from None


def _truth(document: FeedbackRequest) -> Truth:
    return Truth(document.id, document.targets, cleaned(document.labels or {}))


def _blamed(found: Found, outcome: Outcome | InvalidInputError) -> Outcome | InvalidInputError:
    """An error of the engine calls what was sent by its own names, which an event has not."""
    if isinstance(outcome, Outcome):
        return outcome
    if isinstance(found, Prediction):
        shorter = [Problem(each.path[1:], each.detail, each.value) for each in outcome.problems]
        outcome = InvalidInputError(shorter, outcome.count)
    return _under("data", outcome)


def _under(step: str | int, error: InvalidInputError) -> InvalidInputError:
    longer = [Problem((step, *each.path), each.detail, each.value) for each in error.problems]
    return InvalidInputError(longer, error.count)


def _answer(outcomes: Sequence[Outcome | LossmeterError | None]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    rows, errors = 0, []
    for place, each in enumerate(outcomes):
        if isinstance(each, Outcome):
            counts[each.name] += 1
            rows += each.rows
            continue
        counts["passed_over" if each is None else "refused"] += 1
        if isinstance(each, InvalidInputError):
            errors += [problems.entry(problem) for problem in _under(place, each).problems]
        elif each is not None:
            errors.append({"pointer": f"/{place}/data", "detail": str(each)})
    document: dict[str, Any] = {name: counts[name] for name in _COUNTED} | {"rows": rows}
    return document | ({"errors": errors[:MOST_PROBLEMS]} if errors else {})
