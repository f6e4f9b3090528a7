"""One request to infer, and its answer: bytes in, bytes out, the work between them off the event loop if it is large.

FastAPI reads none of it: sync tritonclient sends no Content-Type at all, and a body may be half JSON, half memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response, StreamingResponse

from lossmeter.api import inference
from lossmeter.api.bodies import INLINE_BYTES
from lossmeter.api.v2 import codings
from lossmeter.api.work import off_loop
from lossmeter.wire import oip
from lossmeter.wire.compression import compressor, decompressor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request

    from lossmeter.api.service import Service

T = TypeVar("T")

_INLINE_COMPRESSED = 1024
"""A kilobyte of zeros may be a megabyte long."""


class Exchange:
    """What is known of a request before its body is read, and all that is done with it."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._service: Service = request.app.state.service
        self._sent_coding = codings.sent(request.headers)
        self._wanted_coding = codings.wanted(request.headers)
        self._header_length = oip.read_header_length(request.headers.get(oip.HEADER_LENGTH))
        self._is_large = False

    async def infer(self, model: str) -> Response:
        """The answer of a model.

        Raises:
            LossmeterError: the request is refused.
        """
        # What is compressed is decompressed into a buffer of its own.
        start = 0 if self._sent_coding else oip.padding(self._header_length)
        body = bytearray(start)
        async for chunk in self._request.stream():
            body += chunk
        self._is_large = len(body) - start > (_INLINE_COMPRESSED if self._sent_coding else INLINE_BYTES)
        answer = await self._run(lambda: self._work(model, body, start))
        return await self._response(answer)

    async def _run(self, work: Callable[[], T]) -> T:
        return await off_loop(work, self._service.cores) if self._is_large else work()

    def _work(self, model: str, body: bytearray, start: int) -> oip.Answer:
        """Reads, computes and begins to write."""
        if self._sent_coding:
            body, start = self._decompressed(body)
        settings = self._service.settings
        limits = oip.Limits(settings.max_elements, settings.max_depth)
        whole = self._header_length is None
        request = oip.read_request(body if whole else memoryview(body)[start:], self._header_length, limits)
        if whole:
            body.clear()  # nothing is a view of it, and its memory can go now
        outputs = inference.infer(model, request, settings)
        head = {"model_name": model, "model_version": inference.VERSION}
        return oip.write_answer(head | ({} if request.id is None else {"id": request.id}), outputs)

    def _decompressed(self, body: bytearray) -> tuple[bytearray, int]:
        """The body, and where it starts; the header counts bytes of what is decompressed."""
        start = oip.padding(self._header_length)
        plain = bytearray(start)
        decoder = decompressor(str(self._sent_coding), self._service.settings.max_body_bytes)
        for piece in decoder.pieces(body):
            plain += piece
        decoder.finish()
        return plain, start

    async def _response(self, answer: oip.Answer) -> Response:
        headers = {"Vary": "Accept-Encoding"}
        if answer.header_length is not None:
            headers[oip.HEADER_LENGTH] = str(answer.header_length)
        parts, size = answer.parts, answer.size
        if self._wanted_coding:
            headers["Content-Encoding"] = self._wanted_coding
            parts, size = _compressed(parts, self._wanted_coding), None
        # RFC 9112, section 6.1: no parts without a length for HTTP/1.0.
        if self._request.scope["http_version"] == "1.0" or not self._is_large:
            body = await self._run(lambda: b"".join(parts))
            return Response(body, 200, headers, answer.media_type)
        if size is not None:
            headers["Content-Length"] = str(size)
            return StreamingResponse(_each(parts), 200, headers, answer.media_type)
        return StreamingResponse(self._written(parts), 200, headers, answer.media_type)

    async def _written(self, parts: Iterator[bytes | memoryview]) -> AsyncIterator[bytes | memoryview]:
        while part := await self._run(lambda: next(parts, b"")):
            yield part


async def _each(parts: Iterator[bytes | memoryview]) -> AsyncIterator[bytes | memoryview]:
    """Parts that cost nothing to make."""
    for part in parts:
        yield part


def _compressed(parts: Iterator[bytes | memoryview], coding: str) -> Iterator[bytes | memoryview]:
    encoder = compressor(coding)
    for part in parts:
        if compressed := encoder.feed(part):
            yield compressed
    yield encoder.finish()
