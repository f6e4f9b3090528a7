"""The seam by which arrays reach typed endpoints: a Request with its own ``json()`` behind a custom route.

FastAPI documents this seam ("Custom Request and APIRoute class"). Here ``json()`` reads the numbers of a
body straight into arrays and the document into the endpoint's Pydantic model, both off the event loop when
the body is large; FastAPI then finds an instance of the model and passes it on. So endpoints stay typed,
OpenAPI is generated as always, and no number becomes a Python object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lossmeter.api import negotiation, scoring
from lossmeter.api.errors import RefusedBodyError
from lossmeter.api.work import off_loop
from lossmeter.errors import MalformedBodyError
from lossmeter.wire import json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from starlette.types import Receive, Scope

    from lossmeter.api.schemas.document import Document
    from lossmeter.api.service import Service

T = TypeVar("T")

INLINE_BYTES: Final = 64 * 1024
"""Up to this size, changing threads costs more than it saves: all the work takes about a millisecond."""

INLINE_NUMBERS: Final = 16 * 1024
"""Up to so many numbers, an answer is written at once; larger ones go out in parts."""


class DocumentRequest(Request):
    """A request whose JSON body is read as a document of arrays.

    Attributes:
        service: what the application was composed of.
    """

    def __init__(self, scope: Scope, receive: Receive, model: type[Document] | None) -> None:
        super().__init__(scope, receive)
        self.service: Service = scope["app"].state.service
        self._model = model
        self._buffer: bytearray | None = None
        self._is_large = False

    async def body(self) -> bytes:
        """The body, in one growing buffer: a list of chunks to be joined would need twice the memory."""
        if self._buffer is None:
            self._buffer = await self._receive_all()
            self._is_large = len(self._buffer) > INLINE_BYTES
            if not self._buffer:
                raise RefusedBodyError(MalformedBodyError("the body is empty; a JSON object is wanted"))
        # FastAPI only asks whether it is empty.
        return cast("bytes", self._buffer)

    async def json(self) -> Any:  # noqa: ANN401 - what Starlette says
        """The body as the endpoint's model."""
        await self.body()
        try:
            return await self._run(self._read)
        except Exception as error:
            raise RefusedBodyError(error) from error

    async def answer(self, compute: Callable[[], dict[str, Any]]) -> Response:
        """Computes a document and writes it, off the event loop if the request was large."""
        document = await self._run(compute)
        # RFC 9112, section 6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the
        # corresponding request indicates HTTP/1.1 (or later minor revisions)."
        takes_parts = self.scope["http_version"] != "1.0"
        if takes_parts and json.count_numbers(document) > INLINE_NUMBERS:
            return StreamingResponse(self._parts(document), media_type=negotiation.JSON)
        body = await self._run(lambda: json.encode(document))
        return Response(body, media_type=negotiation.JSON)

    async def _parts(self, document: dict[str, Any]) -> AsyncIterator[bytes]:
        parts = json.encode_in_parts(document)
        while part := await self._run(lambda: next(parts, b"")):
            yield part

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._is_large:
            return work()
        return await off_loop(work, self.service.cores)

    def _read(self) -> Document:
        buffer = self._buffer or bytearray()
        settings = self.service.settings
        document = json.decode(buffer, max_depth=settings.max_depth, max_elements=settings.max_elements)
        # FastAPI holds on to the buffer until the answer is sent; its memory can go now.
        buffer.clear()
        return scoring.read(cast("type[Document]", self._model), document, settings)

    async def _receive_all(self) -> bytearray:
        buffer = bytearray()
        async for chunk in self.stream():
            buffer += chunk
        return buffer


class DocumentRoute(APIRoute):
    """A route that takes a document of arrays and answers JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind content negotiation and the reading of arrays."""
        handle = super().get_route_handler()
        field = self.body_field
        model = cast("type[Document]", field.field_info.annotation) if field else None

        async def handle_document(request: Request) -> Response:
            negotiation.check_accept(request.headers)
            if model is not None:
                negotiation.check_content(request.headers)
            return await handle(DocumentRequest(request.scope, request.receive, model))

        return handle_document
