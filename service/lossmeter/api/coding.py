"""Content codings of bodies on their way in and out: decompressed within the limits, compressed where it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio.lowlevel

from lossmeter.api.limits import SHARE
from lossmeter.wire.compression import compressor, decompressor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from starlette.requests import Request

LEAST_BYTES: Final = 16 * 1024
"""An answer below this fits into the ten packets that TCP sends unasked (RFC 6928): none of them comes sooner."""


def decoded(chunks: AsyncIterator[bytes], coding: str | None) -> AsyncIterator[bytes]:
    """The chunks of a body out of its coding, in pieces whose sum the caller limits.

    Raises:
        MalformedBodyError: when the bytes turn out not to be of this coding, or end too early.
    """
    return chunks if coding is None else _decompressed(chunks, coding)


async def received(request: Request, coding: str | None, behind: int = 0) -> bytearray:
    """A whole body, out of its coding, as far as there is room for it.

    Args:
        request: whose body it is.
        coding: what it is in.
        behind: bytes that are left free before it.

    Raises:
        MalformedBodyError: as ``decoded`` does.
        HTTPException: 413, 503 or 429, there is no room.
        ClientDisconnect: the caller has gone.
    """
    share, body = request.scope[SHARE], bytearray(behind)
    async for piece in decoded(request.stream(), coding):
        body += piece
        share.reserve(len(body) - behind)
    return body


async def _decompressed(chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    decoder = decompressor(coding)
    async for chunk in chunks:
        for piece in decoder.pieces(chunk):
            yield piece
            # One chunk can be a thousand pieces: others have a word between them.
            await anyio.lowlevel.checkpoint()
    decoder.finish()


def encoded(
    parts: Iterable[bytes | memoryview], coding: str | None, *, prompt: bool = False
) -> Iterator[bytes | memoryview]:
    """The parts of an answer in a coding; ``prompt`` parts can be read as soon as they arrive."""
    if coding is None:
        yield from parts
        return
    encoder = compressor(coding)
    for part in parts:
        packed = encoder.feed(part) + (encoder.flush() if prompt else b"")
        if packed:
            yield packed
    yield encoder.finish()
