"""The content codings gzip, deflate and zstd: bytes in, bytes out, step by step.

A megabyte can be the shorthand for gigabytes. So nothing is ever decompressed beyond a limit, and nothing is
held but one piece: input is taken in slices, output is made in pieces of at most ``PIECE`` bytes.
"""

from __future__ import annotations

import sys
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import MalformedBodyError, TooLargeError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Buffer = bytes | bytearray | memoryview

ENCODINGS: Final = ("zstd", "gzip", "deflate")
"""The codings, the best first."""

PIECE: Final = 1 << 18
"""Most bytes of a piece of output."""

_SLICE: Final = 1 << 16
"""Bytes of input that are looked at together: zlib copies what it has not used after every piece."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS

# RFC 9659: "decoders SHOULD support a Window_Size of 8 MB, and encoders MUST NOT exceed it".
_WINDOW: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}

_SMALLEST_MEMBER: Final = 1024
"""Mean bytes of output that a body of many members must have: millions of empty ones are only there to cost time."""

_MEMBERS: Final = 16
"""Members that a body of any size may have."""


class Decompressor:
    """One body on its way out of its coding.

    Attributes:
        count: bytes of output so far.
    """

    def __init__(self, encoding: str, limit: int | None = None) -> None:
        self.count = 0
        self._encoding = encoding
        self._limit = limit
        self._members = 0
        self._head = b""
        self._member: Any = None

    def feed(self, chunk: Buffer) -> bytes:
        """The output for a chunk of input.

        Raises:
            TooLargeError: there is more of it than the limit.
            MalformedBodyError: the bytes are not of this coding.
        """
        return b"".join(self.pieces(chunk))

    def pieces(self, chunk: Buffer) -> Iterator[bytes]:
        """The output for a chunk in pieces, for those who must not hold all of it; raises as ``feed`` does."""
        with memoryview(chunk) as view:
            for start in range(0, len(view), _SLICE):
                yield from self._of_slice(bytes(view[start : start + _SLICE]))

    def finish(self) -> None:
        """Says that the input is over.

        Raises:
            MalformedBodyError: it was cut off.
        """
        if self._member is not None or self._head or not self._members:
            raise MalformedBodyError(f"The {self._encoding} body ends too early.")

    def _of_slice(self, data: bytes) -> Iterator[bytes]:
        data, self._head = self._head + data, b""
        while data:
            if self._member is None:
                if self._encoding == "deflate" and len(data) == 1:
                    self._head = data
                    return
                self._member = self._next_member(data)
            yield from self._of_member(data)
            data = self._member.unused_data if self._member.eof else b""
            if self._member.eof:
                self._member = None

    def _of_member(self, data: bytes) -> Iterator[bytes]:
        """The output until the member ends or wants more input."""
        is_zstd = self._encoding == "zstd"
        while True:
            try:
                piece = self._member.decompress(data, PIECE)
            except (zlib.error, zstd.ZstdError):
                window = ", or its window is larger than 8 MiB (RFC 9659)" if is_zstd else ""
                raise MalformedBodyError(
                    f"The body is not {self._encoding}, or is damaged{window}."
                ) from None
            self.count += len(piece)
            if self._limit is not None and self.count > self._limit:
                raise TooLargeError(f"The decompressed body is larger than {self._limit} bytes.")
            if piece:
                yield piece
            data = b"" if is_zstd else self._member.unconsumed_tail
            # A full piece may have more behind it, in the decoder itself.
            if self._member.eof or (len(piece) < PIECE and not data):
                return

    def _next_member(self, data: bytes) -> Any:  # noqa: ANN401 - zlib's and zstd's have no common type
        """The decoder of a member, of which a body may have several (RFC 1952, 2.2; RFC 8878, 3)."""
        self._members += 1
        if self._members > _MEMBERS + self.count // _SMALLEST_MEMBER:
            raise MalformedBodyError(f"The {self._encoding} body is made of too many small members.")
        if self._encoding == "zstd":
            return zstd.ZstdDecompressor(options=_WINDOW)
        if self._encoding == "deflate" and self._members > 1:
            raise MalformedBodyError("The deflate body goes on behind its end.")
        return zlib.decompressobj(_GZIP if self._encoding == "gzip" else _deflate_format(data))


class Compressor:
    """One body on its way into its coding: ``feed`` and ``flush`` as often as wanted, then ``finish``."""

    def __init__(self, encoder: Any, sync: int, end: int) -> None:  # noqa: ANN401 - zlib's or zstd's
        self._encoder = encoder
        self._sync = sync
        self._end = end

    def feed(self, chunk: Buffer) -> bytes:
        """What can be sent after this chunk; often nothing yet."""
        return bytes(self._encoder.compress(chunk))

    def flush(self) -> bytes:
        """What a reader needs to see everything fed so far."""
        return bytes(self._encoder.flush(self._sync))

    def finish(self) -> bytes:
        """The end of the body."""
        return bytes(self._encoder.flush(self._end))


def decompressor(encoding: str, limit: int | None = None) -> Decompressor:
    """A decompressor of one of ``ENCODINGS``, for at most ``limit`` bytes of output."""
    return Decompressor(_known(encoding), limit)


def compressor(encoding: str) -> Compressor:
    """A compressor of one of ``ENCODINGS``, at the speed that fits an answer made a moment ago."""
    return _COMPRESSORS[_known(encoding)]()


def _known(encoding: str) -> str:
    if encoding not in ENCODINGS:
        raise ValueError(f"{encoding} is none of {', '.join(ENCODINGS)}")
    return encoding


def _deflate_format(data: bytes) -> int:
    """With the wrapper of zlib or without; the first two bytes tell (RFC 1950, 2.2).

    RFC 9110, section 8.4.1.2: "Some non-conformant implementations send the "deflate" compressed data without the
    zlib wrapper."
    """
    is_wrapped = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
    return _ZLIB if is_wrapped else _RAW


def _zlib(wbits: int) -> Compressor:
    """Level 1: on digits, level 6 takes four times as long for a fifth less."""
    return Compressor(zlib.compressobj(1, zlib.DEFLATED, wbits), zlib.Z_SYNC_FLUSH, zlib.Z_FINISH)


def _zstd() -> Compressor:
    kind = zstd.ZstdCompressor
    return Compressor(kind(level=3), kind.FLUSH_BLOCK, kind.FLUSH_FRAME)


_COMPRESSORS: Final[Mapping[str, Callable[[], Compressor]]] = {
    "gzip": partial(_zlib, _GZIP),
    "deflate": partial(_zlib, _ZLIB),
    "zstd": _zstd,
}
