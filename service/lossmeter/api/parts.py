"""Answers in more than one part, sent without Starlette's ``StreamingResponse``.

That listens for a disconnect meanwhile, in a task of its own: it would take the chunks of a request that is still being
read, and costs more than to send what is in memory already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    Buffer = bytes | bytearray | memoryview


class SizedAnswer(Response):
    """An answer that is there, from the memory that it lies in.

    Args:
        parts: its bytes.
        size: how many.
        media_type: of all of it.
        headers: beside those.
    """

    def __init__(
        self, parts: Iterable[Buffer], size: int, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, {**(headers or {}), "Content-Length": str(size)}, media_type)
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Sends; to a caller that has gone, the server sends nothing."""
        await _start(self, send)
        for part in self._parts:
            await _send(send, part, more=True)
        await _send(send, b"", more=False)


class StreamedAnswer(Response):
    """An answer whose parts are made while it is sent.

    Args:
        parts: one after the other; to a caller who has gone, nothing more is sent.
        media_type: of all of it.
        headers: beside those.
    """

    def __init__(
        self, parts: AsyncIterator[Buffer], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Sends until the stream ends or the caller has gone."""
        await _start(self, send)
        try:
            async for part in self._parts:
                await _send(send, part, more=True)
        except ClientDisconnect:
            return
        await _send(send, b"", more=False)


async def _start(answer: Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})


async def _send(send: Send, part: Buffer, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": more})
