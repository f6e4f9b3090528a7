"""One request to infer, and its answer: bytes in, bytes out, the work between them off the event loop if it is large.

FastAPI reads none of it: sync tritonclient sends no Content-Type at all, and a body may be half JSON, half memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from lossmeter.api import coding, inference, negotiation, presence
from lossmeter.api.bodies import INLINE_BYTES
from lossmeter.api.fields import field
from lossmeter.api.parts import SizedAnswer, StreamedAnswer
from lossmeter.api.v2 import codings
from lossmeter.observability.record import Phase, in_phase
from lossmeter.wire import oip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request

    from lossmeter.api.service import Service

    Buffer = bytes | memoryview

T = TypeVar("T")


class Exchange:
    """What is known of a request before its body is read, and all that is done with it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._service: Service = request.app.state.service
        self._sent_coding = negotiation.check_coding(field(request.scope, b"content-encoding"))
        self._wanted_coding = codings.wanted(request.headers)
        # Two of them that differ are no number.
        lengths = request.headers.getlist(oip.HEADER_LENGTH)
        self._header_length = oip.read_header_length(",".join(lengths) if lengths else None)
        self._is_large = False

    async def infer(self, model: str) -> Response:
        """The answer of a model.

        Raises:
            LossmeterError: the request is refused.
        """
        try:
            body, start = await self._receive()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        answer = await self._begin(lambda: self._work(model, body, start))
        return await self._response(answer)

    async def _receive(self) -> tuple[bytearray, int]:
        """The body, out of its coding, and where it begins: its binary tensors are to be aligned."""
        start = oip.padding(self._header_length)
        body = await coding.received(self._request, self._sent_coding, start)
        self._is_large = len(body) - start > INLINE_BYTES
        return body, start

    async def _begin(self, work: Callable[[], T]) -> T:
        if not self._is_large:
            return work()
        return await self._service.cores.begin(work, lambda: presence.check_caller(self._request.receive))

    async def _run(self, work: Callable[[], T]) -> T:
        timed = in_phase("encode", work)
        return await self._service.cores.go_on(timed) if self._is_large else timed()

    def _work(self, model: str, body: bytearray, start: int) -> oip.Answer:
        """Reads, computes and begins to write."""
        settings = self._service.settings
        limits = oip.Limits(settings.max_elements, settings.max_depth)
        whole = self._header_length is None
        with Phase("parse"):
            request = oip.read_request(
                body if whole else memoryview(body)[start:], self._header_length, limits
            )
        if whole:
            body.clear()  # nothing is a view of it, and its memory can go now
        with Phase("compute"):
            outputs = inference.infer(model, request, settings, self._service.meter)
        head = {"model_name": model, "model_version": inference.VERSION}
        with Phase("encode"):
            return oip.write_answer(head | ({} if request.id is None else {"id": request.id}), outputs)

    async def _response(self, answer: oip.Answer) -> Response:
        headers = {"Vary": "Accept-Encoding"}
        if answer.header_length is not None:
            headers[oip.HEADER_LENGTH] = str(answer.header_length)
        parts, size = answer.parts, answer.size
        if self._wanted_coding:
            headers["Content-Encoding"] = self._wanted_coding
            parts, size = coding.encoded(parts, self._wanted_coding), None
        # RFC 9112, section 6.1: no parts without a length for HTTP/1.0.
        if self._request.scope["http_version"] == "1.0" or not self._is_large:
            body = await self._run(lambda: b"".join(parts))
            return Response(body, 200, headers, answer.media_type)
        if size is not None:
            return SizedAnswer(parts, size, answer.media_type, headers)
        return StreamedAnswer(self._written(parts), answer.media_type, headers)

    async def _written(self, parts: Iterator[Buffer]) -> AsyncIterator[Buffer]:
        while part := await self._run(lambda: next(parts, b"")):
            yield part
            if presence.has_gone(self._request.receive):
                return
