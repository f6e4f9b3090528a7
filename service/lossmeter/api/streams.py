"""Streams: batches are scored as they arrive and answered as they are done, however many there are.

The answer pulls: a batch is received when the one before it has been sent, so neither a fast caller nor a slow
reader makes this process hold more than a batch, its scores, and what the kernel buffers. A caller must read
while it sends. What is wrong with the first batch is answered with its status; afterwards the status is sent,
and the last record of the answer is the problem.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from lossmeter.api import coding, errors, negotiation, query
from lossmeter.api.limits import SHARE
from lossmeter.api.parts import StreamedAnswer
from lossmeter.api.schemas.score import ScoreRequest
from lossmeter.api.sessions import Session
from lossmeter.errors import LossmeterError, MalformedBodyError
from lossmeter.wire.compression import compressor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from lossmeter.api.negotiation import Agreed
    from lossmeter.api.service import Service

    Buffer = bytes | bytearray | memoryview

HEADERS: Final = {
    **negotiation.VARY,
    # What is left of a request whose answer is over is not read to its end.
    "Connection": "close",
    # nginx would collect the answer, and the caller wait for it.
    "X-Accel-Buffering": "no",
}


async def respond(request: Request, agreed: Agreed) -> Response:
    """The answer to a stream, once its first batch is scored.

    Raises:
        LossmeterError, HTTPException: what is wrong with the first batch, or with the options.
    """
    if request.scope["http_version"] == "1.0":
        raise HTTPException(505, "A stream is answered in chunks, which HTTP/1.0 does not know.")
    service: Service = request.scope["app"].state.service
    options = query.merged({}, query.options(request.scope["query_string"]), ScoreRequest)
    session = await service.cores.begin(
        lambda: Session(options, service.settings, agreed.content, agreed.answer, service.meter)
    )
    parts = _encoded(_parts(request, session, service, agreed.coding), agreed.answer_coding)
    try:
        first = await anext(parts)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    coded = {} if agreed.answer_coding is None else {"Content-Encoding": agreed.answer_coding}
    return StreamedAnswer(_with_first(first, parts), agreed.answer, {**HEADERS, **coded})


async def _with_first(first: Buffer, parts: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    yield first
    async for part in parts:
        yield part


async def _parts(
    request: Request, session: Session, service: Service, sent_coding: str | None
) -> AsyncIterator[Buffer]:
    """The answer to each unit of the stream, then how it ended."""
    has_begun = False
    try:
        async for unit in _units(request, session, sent_coding):
            step = partial(next, session.answers(unit), b"")
            while part := await service.cores.go_on(step):
                yield part
                has_begun = True
        end = await service.cores.go_on(session.end)
    except (LossmeterError, HTTPException) as error:
        if not has_begun:
            raise
        request.scope[SHARE].is_refused = True
        problem = orjson.loads(bytes(errors.of(error, request.scope).body))
        end = session.fail(problem)
    yield end


async def _units(request: Request, session: Session, sent_coding: str | None) -> AsyncIterator[Any]:
    """What the bytes of the request complete, one by one; none is received before the last is dealt with."""
    share, is_empty = request.scope[SHARE], True
    async for chunk in coding.decoded(request.stream(), sent_coding):
        is_empty = is_empty and not chunk
        for unit in session.framer.feed(chunk):
            yield unit
        share.reserve(session.framer.held)
    if is_empty:
        raise MalformedBodyError("The body is empty.")
    for unit in session.framer.finish():
        yield unit


async def _encoded(parts: AsyncIterator[Buffer], wanted: str | None) -> AsyncIterator[Buffer]:
    """The parts in a content coding, each readable as soon as it has arrived."""
    if wanted is None:
        async for part in parts:
            yield part
        return
    encoder = compressor(wanted)
    async for part in parts:
        yield encoder.feed(part) + encoder.flush()
    yield encoder.finish()
