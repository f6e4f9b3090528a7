"""Framing that can be read in two ways, and heads without end: refused, and never taken for two requests."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from resilience.targets import Target

BODY = b'{"logits":[[1,2]],"targets":[0],"include":[]}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
HEAD = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /v1/losses HTTP/1.1\r\nHost: x\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
MEGABYTE = b"a" * 1_000_000


STATUS = re.compile(rb"HTTP/1\.1 (\d+)")


def without(old: bytes, new: bytes) -> bytes:
    """A request whose head says this instead."""
    return HEAD.replace(old, new) + LENGTH + BODY


CASES: dict[str, tuple[bytes, list[int]]] = {
    "plain": (HEAD + LENGTH + BODY, [200]),
    "chunked": (HEAD + CHUNKED + CHUNKS, [200]),
    "many small chunks": (HEAD + CHUNKED + b"".join(b"1\r\n%c\r\n" % c for c in BODY) + b"0\r\n\r\n", [200]),
    "two requests at once": ((HEAD + LENGTH + BODY) * 2, [200, 200]),
    # A body is a body, whatever it looks like.
    "GET with a body": (GET + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, [200]),
    "close, then another": (GET + b"Connection: close\r\n\r\n" + HIDDEN, [200]),
    # What asks to change the protocol, as Java's client does, is answered in this one, body and all.
    "h2c": (
        HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + LENGTH + BODY + HIDDEN,
        [200, 404],
    ),
    "h2c, chunked": (
        HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED + CHUNKS + HIDDEN,
        [200, 404],
    ),
    "websocket": (GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + HIDDEN, [200, 404]),
    "length and chunked": (HEAD + b"Content-Length: 4\r\n" + CHUNKED + CHUNKS, [400]),
    "chunked and length": (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + CHUNKS, [400]),
    "two lengths": (HEAD + b"Content-Length: 3\r\n" + LENGTH + BODY, [400]),
    "the same length twice": (HEAD + LENGTH[:-2] + LENGTH + BODY, [400]),
    "list of lengths": (HEAD + b"Content-Length: 45, 45\r\n\r\n" + BODY, [400]),
    "length with a sign": (HEAD + b"Content-Length: +45\r\n\r\n" + BODY, [400]),
    "negative length": (HEAD + b"Content-Length: -1\r\n\r\n" + BODY, [400]),
    "hexadecimal length": (HEAD + b"Content-Length: 0x2d\r\n\r\n" + BODY, [400]),
    "length beyond 64 bits": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", [400]),
    "length beyond the limit": (HEAD + b"Content-Length: 999999999999\r\n\r\n", [413]),
    "empty length": (HEAD + b"Content-Length: \r\n\r\n" + BODY, [400]),
    "space before a colon": (HEAD + b"Content-Length : 45\r\n\r\n" + BODY, [400]),
    "unknown coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, [501]),
    "identity": (HEAD + b"Transfer-Encoding: identity\r\n\r\n" + BODY, [501]),
    "gzip, chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, [501]),
    "chunked, identity": (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS, [400]),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked\r\n" + CHUNKED + CHUNKS, [400]),
    "chunked behind a control character": (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS, [400]),
    "folded line": (HEAD + b"X: a\r\n b\r\n" + LENGTH + BODY, [400]),
    "bare LF": ((HEAD + LENGTH).replace(b"\r\n", b"\n") + BODY, [400]),
    "bare CR": (HEAD + b"X: a\rb\r\n" + LENGTH + BODY, [400]),
    "NUL in a value": (HEAD + b"X: a\0b\r\n" + LENGTH + BODY, [400]),
    "no colon": (HEAD + b"Xab\r\n" + LENGTH + BODY, [400]),
    "space in a name": (HEAD + b"X Y: b\r\n" + LENGTH + BODY, [400]),
    "empty name": (HEAD + b": b\r\n" + LENGTH + BODY, [400]),
    "space first": (b" " + HEAD + LENGTH + BODY, [400]),
    "negative chunk": (HEAD + CHUNKED + b"-1\r\n" + CHUNKS, [400]),
    "chunk with a sign": (HEAD + CHUNKED + b"+" + CHUNKS, [400]),
    "chunk with 0x": (HEAD + CHUNKED + b"0x" + CHUNKS, [400]),
    "chunk beyond 64 bits": (HEAD + CHUNKED + b"f" * 17 + b"\r\n", [400]),
    "chunk lines by LF": (HEAD + CHUNKED + CHUNKS.replace(b"\r\n", b"\n"), [400]),
    "chunk without an end": (HEAD + CHUNKED + CHUNKS.replace(b"}\r\n", b"}XX"), [400]),
    "LF in a chunk extension": (HEAD + CHUNKED + CHUNKS.replace(b"\r\n", b";a\nb\r\n", 1), [400]),
    "length in a trailer": (HEAD + CHUNKED + CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n", [400]),
    "HTTP/0.9": (b"GET /v1/losses\r\n\r\n", [505]),
    "HTTP/1.9": (without(b"1.1", b"1.9"), [400]),
    "HTTP/2.0": (without(b"1.1", b"2.0"), [505]),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "http/1.1": (without(b"HTTP", b"http"), [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100, [400]),
    "CONNECT": (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN, [501]),
    "unknown method": (without(b"POST", b"SCORE"), [400]),
    "space in the path": (without(b"/v1/score", b"/v1/sc ore"), [400]),
    "UTF-8 in the path": (without(b"/v1/score", "/v1/é".encode()), [400]),
    "no host": (without(b"Host: x\r\n", b""), [400]),
    "two hosts": (without(b"Host: x\r\n", b"Host: x\r\nHost: y\r\n"), [400]),
    "space in the host": (without(b"Host: x", b"Host: x y"), [400]),
    "200 fields": (HEAD + b"".join(b"X-%d: a\r\n" % i for i in range(200)) + LENGTH + BODY, [431]),
    "a field of a megabyte": (HEAD + b"X: " + MEGABYTE + b"\r\n" + LENGTH + BODY, [431]),
    "a name of a megabyte": (HEAD + MEGABYTE + b": x\r\n" + LENGTH + BODY, [431]),
    "a path of a megabyte": (without(b"/v1/score", b"/" + MEGABYTE), [431]),
    "a chunk extension of a megabyte": (HEAD + CHUNKED + b"1;" + MEGABYTE + b"\r\n[\r\n", [400]),
    "a megabyte of trailers": (HEAD + CHUNKED + CHUNKS[:-2] + b"X: aaaaaaaa\r\n" * 80_000 + b"\r\n", [431]),
    "a megabyte of empty lines": (b"\r\n" * 500_000, [431]),
    "a method of a megabyte": (MEGABYTE, [400]),
}


def talk(target: Target, sent: bytes, wanted: int) -> tuple[list[int], bytes]:
    """The statuses of all answers to these bytes, and the answers; when as many as wanted came, soon no more do."""
    received = b""
    with target.connect(timeout=20) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused while it was sending
            connection.sendall(sent)
        with suppress(ConnectionResetError, TimeoutError):
            while more := connection.recv(65536):
                received += more
                connection.settimeout(0.1 if len(STATUS.findall(received)) >= wanted else 20)
    return [int(found) for found in STATUS.findall(received)], received


@pytest.mark.parametrize(("sent", "statuses"), CASES.values(), ids=CASES.keys())
def test_framing(target: Target, sent: bytes, statuses: list[int]) -> None:
    """Each is answered as often as there are requests, with a problem if it is refused, and never more."""
    found, received = talk(target, sent, len(statuses))
    assert found == statuses
    if found[0] >= 400:
        assert b"application/problem+json" in received
        assert b"connection: close" in received.lower()


def test_heads_do_not_cost_memory(target: Target) -> None:
    """A hundred megabytes of fields and trailers leave nothing behind."""
    before = target.resident()
    for name in ("a field of a megabyte", "a megabyte of trailers", "a path of a megabyte") * 30:
        talk(target, CASES[name][0], 1)
    assert target.resident() - before < 16 * 2**20


def test_a_small_answer_is_one_piece(target: Target) -> None:
    """Head and body leave together: whoever reads once has all of it."""
    with target.connect() as connection:
        connection.sendall(HEAD + LENGTH + BODY)
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    assert len(body) == int(length[1])
