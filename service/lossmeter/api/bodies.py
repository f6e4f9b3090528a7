"""The seam by which arrays reach typed endpoints: a route that reads the body and calls the endpoint itself.

FastAPI documents this seam ("Custom Request and APIRoute class"). ``document()`` reads the numbers of a body
straight into arrays and the document into the endpoint's Pydantic model, both off the event loop when the
body is large. So endpoints stay typed, OpenAPI is generated as always, and no number becomes a Python object.
FastAPI's own handler would come between with the looking for dependencies, of which there are none, and hide
what goes wrong. A batch in another format takes the same way: ``formats`` reads its arrays, the query has its
options, and together they are the same model.
"""

from __future__ import annotations

from collections.abc import Sized
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lossmeter.api import coding, formats, negotiation, presence, query, scoring, streams
from lossmeter.api.formats import READERS, WRITERS, Job
from lossmeter.api.negotiation import JSON, VARY
from lossmeter.api.parts import SizedAnswer, StreamedAnswer
from lossmeter.errors import InvalidInputError, MalformedBodyError
from lossmeter.observability.record import Phase, in_phase
from lossmeter.wire import json
from lossmeter.wire.chunks import chunked
from lossmeter.wire.piece import Piece

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope

    from lossmeter.api.negotiation import Agreed
    from lossmeter.api.schemas.document import Document
    from lossmeter.api.service import Service

T = TypeVar("T")

INLINE_BYTES: Final = 64 * 1024
"""Up to this size, changing threads costs more than it saves: all the work takes about a millisecond."""

INLINE_NUMBERS: Final = 16 * 1024
"""Up to so many numbers, an answer is written at once; larger ones go out in parts."""


class DocumentRequest(Request):
    """A request whose body is read as a document of arrays.

    Attributes:
        service: what the application was composed of.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        model: type[Document] | None,
        agreed: Agreed,
        *,
        takes_options: bool,
    ) -> None:
        super().__init__(scope, receive)
        self.service: Service = scope["app"].state.service
        self._model = model
        self._takes_options = takes_options
        self._agreed = agreed
        self._buffer = bytearray()
        self._is_large = agreed.content in formats.NEEDS_ARROW or agreed.answer in formats.NEEDS_ARROW
        self._sent = Piece({})

    async def document(self) -> Document:
        """The body as the endpoint's model.

        Raises:
            LossmeterError: it is refused.
            HTTPException: it is larger than there is room for.
        """
        self._buffer = await coding.received(self, self._agreed.coding)
        if not self._buffer:
            raise MalformedBodyError(f"the body is empty; {self._agreed.content} is wanted")
        self._is_large = self._is_large or len(self._buffer) > INLINE_BYTES
        return await self._begin(in_phase("parse", self._read))

    async def answer(self, compute: Callable[[], dict[str, Any]]) -> Response:
        """Computes a document and writes it, off the event loop if the request was large."""
        if self._is_large:
            presence.check_caller(self.receive)
        write = self._in_json if self._agreed.answer == JSON else self._in_binary

        def computed_and_written() -> Response:
            with Phase("compute"):
                document = self._blamed(compute)
            with Phase("encode"):
                return write(document)

        return await self._run(computed_and_written)

    def _in_json(self, document: dict[str, Any]) -> Response:
        wanted = self._agreed.answer_coding
        if self._takes_parts() and json.count_numbers(document) > INLINE_NUMBERS:
            parts = coding.encoded(json.encode_in_parts(document), wanted)
            return self._streamed(parts, _coded(wanted))
        body = json.encode(document)
        if wanted is None or len(body) < coding.LEAST_BYTES:
            return Response(body, 200, VARY, JSON)
        packed = b"".join(coding.encoded([body], wanted))
        return Response(packed, 200, _coded(wanted), JSON)

    def _in_binary(self, document: dict[str, Any]) -> Response:
        """An answer whose size is known goes out from the memory of its arrays."""
        answer = self._agreed.answer
        written = WRITERS[answer](document, self._sent)
        if isinstance(written, Sized):
            size = sum(map(len, cast("Iterable[bytes]", written)))
            if size > INLINE_BYTES:
                return SizedAnswer(chunked(written), size, answer, VARY)
        elif self._takes_parts():
            return self._streamed(chunked(written), VARY)
        return Response(b"".join(written), 200, VARY, answer)

    def _takes_parts(self) -> bool:
        # RFC 9112, section 6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the
        # corresponding request indicates HTTP/1.1 (or later minor revisions)."
        return bool(self.scope["http_version"] != "1.0")

    def _streamed(self, parts: Iterator[Any], headers: Mapping[str, str]) -> Response:
        async def sent() -> AsyncIterator[Any]:
            while part := await self._run(in_phase("encode", lambda: next(parts, b""))):
                yield part
                if presence.has_gone(self.receive):
                    return

        return StreamedAnswer(sent(), self._agreed.answer, headers)

    async def _run(self, work: Callable[[], T]) -> T:
        return await self.service.cores.go_on(work) if self._is_large else work()

    async def _begin(self, work: Callable[[], T]) -> T:
        if not self._is_large:
            return work()
        return await self.service.cores.begin(work, lambda: presence.check_caller(self.receive))

    def _read(self) -> Document:
        sent = self.scope["query_string"] if self._takes_options else b""
        options = query.options(sent) if sent else {}
        document = self._document(self._buffer, options)
        model = cast("type[Document]", self._model)
        if options and isinstance(document, dict):
            document = query.merged(document, options, model)
        return self._blamed(lambda: scoring.read(model, document, self.service.settings))

    def _document(self, buffer: bytearray, options: dict[str, Any]) -> Any:  # noqa: ANN401 - a document of any kind
        settings = self.service.settings
        if self._agreed.content == JSON:
            document = json.decode(buffer, max_depth=settings.max_depth, max_elements=settings.max_elements)
        else:
            carry = self._agreed.answer == negotiation.ARROW
            job = Job(settings, options, self._agreed.parameters, carry=carry)
            self._sent = READERS[self._agreed.content](buffer, job)
            document = self._sent.arrays
        # The memory of the body can go before the answer is computed, if no array lies in it.
        with suppress(BufferError):
            buffer.clear()
        return document

    def _blamed(self, work: Callable[[], T]) -> T:
        """What the work returns; an error calls things what the caller called them."""
        try:
            return work()
        except InvalidInputError as error:
            raise self._sent.blame(error) from None


class DocumentRoute(APIRoute):
    """A route that takes a document of arrays and answers JSON.

    Attributes:
        taken: the media types that a body may have.
    """

    taken: ClassVar[tuple[str, ...]] = (JSON,)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Content negotiation, the reading of arrays, and the endpoint, which takes the request and the document."""
        field, endpoint = self.body_field, self.endpoint
        model = cast("type[Document]", field.field_info.annotation) if field else None

        taken = self.taken if model is not None else ()
        is_batch = len(taken) > 1

        async def handle_document(request: Request) -> Response:
            agreed = negotiation.agree(request.scope, taken)
            formats.check_available(agreed.content, agreed.answer)
            if agreed.is_stream:
                return await streams.respond(request, agreed)
            asked = DocumentRequest(request.scope, request.receive, model, agreed, takes_options=is_batch)
            try:
                arguments = () if model is None else (await asked.document(),)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            return cast("Response", await endpoint(asked, *arguments))

        return handle_document


class BatchRoute(DocumentRoute):
    """A route that takes a batch in any format, and answers in the one that the caller likes best."""

    taken = negotiation.BATCHES


def _coded(name: str | None) -> Mapping[str, str]:
    return VARY if name is None else {**VARY, "Content-Encoding": name}
