"""Content codings: what the standard tools write is read, what we write they read, and bombs do not go off."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire.compression import ENCODINGS, PIECE, compressor, decompressor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

each = pytest.mark.parametrize("encoding", ENCODINGS)
encodings = st.sampled_from(ENCODINGS)

THEIRS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "zstd": (zstd.compress, zstd.decompress),
}


def raw_deflate(body: bytes) -> bytes:
    """Deflate without the zlib wrapper, as some clients send it."""
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(body) + encoder.flush()


def parts(body: bytes, size: int) -> Iterator[bytes]:
    """The body as a network may deliver it."""
    return (body[start : start + size] for start in range(0, len(body), size))


def ours(body: bytes, encoding: str, size: int, limit: int | None = None) -> bytes:
    """What our decompressor makes of it."""
    decoder = decompressor(encoding, limit)
    out = b"".join(decoder.feed(part) for part in parts(body, size))
    decoder.finish()
    assert decoder.count == len(out)
    return out


def packed(body: bytes, encoding: str, size: int = 1 << 16) -> bytes:
    """What our compressor makes of it."""
    encoder = compressor(encoding)
    return b"".join(encoder.feed(part) for part in parts(body, size)) + encoder.finish()


@given(st.binary(), encodings, st.integers(1, 9))
def test_bodies_of_the_standard_tools_are_read_however_they_are_cut(
    body: bytes, encoding: str, size: int
) -> None:
    """Byte by byte or at once."""
    assert ours(THEIRS[encoding][0](body), encoding, size) == body


@given(st.binary(max_size=3000), encodings, st.integers(1, 1000))
def test_the_standard_tools_read_what_we_write(body: bytes, encoding: str, size: int) -> None:
    """So any client does."""
    assert THEIRS[encoding][1](packed(body, encoding, size)) == body


@given(st.binary(min_size=1), st.integers(1, 9))
def test_deflate_without_its_wrapper_is_read(body: bytes, size: int) -> None:
    """RFC 9110 knows of such clients."""
    assert ours(raw_deflate(body), "deflate", size) == body


@given(st.binary(), encodings, st.integers(1, 100))
def test_rubbish_is_malformed(body: bytes, encoding: str, size: int) -> None:
    """Whatever comes: output, or a refusal; never anything else."""
    with suppress(MalformedBodyError, TooLargeError):
        ours(body, encoding, size, limit=1 << 20)


@each
def test_large_bodies_come_back(encoding: str) -> None:
    """Larger than the windows, pieces and slices inside, some of it compressible."""
    body = bytes(range(256)) * 4096 + gzip.compress(bytes(range(255)) * 999) * 200 + b"0" * (4 * PIECE)
    assert ours(packed(body, encoding), encoding, len(body)) == body


@each
def test_a_flush_shows_all_so_far(encoding: str) -> None:
    """A stream's reader sees each batch when it is done, not when a buffer is full."""
    encoder, decoder = compressor(encoding), decompressor(encoding)
    for line in (b"one\n", b"two\n"):
        assert decoder.feed(encoder.feed(line) + encoder.flush()) == line
    assert decoder.feed(encoder.finish()) == b""
    decoder.finish()


@each
def test_a_cut_body_ends_too_early(encoding: str) -> None:
    """And so does an empty one: each coding has at least a frame."""
    body = packed(b"something", encoding)
    for cut in (b"", body[:1], body[:-1]):
        with pytest.raises(MalformedBodyError, match=f"{encoding} body ends too early"):
            ours(cut, encoding, 5)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_follow_one_another(encoding: str) -> None:
    """As ``cat a.gz b.gz`` makes them."""
    compress = THEIRS[encoding][0]
    assert ours(compress(b"one") + compress(b"") + compress(b"two"), encoding, 4) == b"onetwo"


@each
def test_what_follows_the_end_is_malformed(encoding: str) -> None:
    """It is no member."""
    with pytest.raises(MalformedBodyError):
        ours(packed(b"x", encoding) + b"trailing", encoding, 1000)


@each
def test_a_bomb_is_stopped_with_little_memory(encoding: str) -> None:
    """A body of thousands of times its size: no more of it is held than a piece and the decoder's window."""
    encoder = compressor(encoding)
    bomb = b"".join(encoder.feed(bytes(1 << 20)) for _ in range(256)) + encoder.finish()
    tracemalloc.start()
    with pytest.raises(TooLargeError, match="larger than 100000000 bytes"):
        for _ in decompressor(encoding, 100_000_000).pieces(bomb):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@each
def test_the_limit_is_exact(encoding: str) -> None:
    """A body of that many bytes is taken, one of a byte more is not."""
    assert ours(packed(bytes(1000), encoding), encoding, 7, limit=1000) == bytes(1000)
    with pytest.raises(TooLargeError, match="larger than 999"):
        ours(packed(bytes(1000), encoding), encoding, 7, limit=999)


def test_a_chain_of_empty_members_is_refused() -> None:
    """Each costs a decoder, and none brings anything."""
    with pytest.raises(MalformedBodyError, match="too many small members"):
        decompressor("gzip").feed(gzip.compress(b"") * 1000)


def test_a_window_beyond_the_standard_is_refused() -> None:
    """RFC 9659 ends them at 8 MiB: a header of a few bytes must not make us allocate gigabytes."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    encoder = zstd.ZstdCompressor(options=options)
    with pytest.raises(MalformedBodyError, match="window is larger than 8 MiB"):
        decompressor("zstd").feed(encoder.compress(b"x", zstd.ZstdCompressor.FLUSH_BLOCK))


def test_an_unknown_coding_is_a_mistake_of_the_program() -> None:
    """Callers are told 415 before any code comes here."""
    with pytest.raises(ValueError, match="br is none of zstd, gzip, deflate"):
        decompressor("br")
