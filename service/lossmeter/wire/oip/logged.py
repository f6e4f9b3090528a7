"""Bodies as a logger has them: without the headers that said how they were packed.

KServe's logger forwards neither ``Content-Encoding`` nor ``Inference-Header-Content-Length``, and gives answers the
media type of their requests. So gzip is known by its first bytes and the end of the document by its last brace, and
the bytes behind it must be those that its tensors announce.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lossmeter.errors import MalformedBodyError
from lossmeter.wire.compression import decompressor
from lossmeter.wire.oip import tokens

if TYPE_CHECKING:
    from lossmeter.wire.oip.reader import Limits

_GZIP: Final = b"\x1f\x8b"
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)

_MOST_TOKENS: Final = 1 << 20
"""Braces, brackets and strings before binary tensors; that is a hundred times what any server writes."""


def unpacked(body: bytes, most: int) -> bytes:
    """The body out of gzip, if it begins as gzip does.

    Raises:
        MalformedBodyError: it begins so, and is none.
        TooLargeError: it comes to more than ``most`` bytes.
    """
    if not body.startswith(_GZIP):
        return body
    decoder = decompressor("gzip", most)
    plain = decoder.feed(body)
    decoder.finish()
    return plain


def split(body: bytes, limits: Limits) -> tuple[object, memoryview]:
    """The document at the beginning of a body, and the bytes behind it.

    Raises:
        MalformedBodyError: no JSON document is there.
        InvalidInputError: one that the readers of JSON refuse.
    """
    if not body.strip():
        raise MalformedBodyError("The body is empty; a JSON document is wanted.")
    end = _end(body) if b'"binary_data_size"' in body else len(body)
    text = body[:end]
    document = tokens.decode(text, max_depth=limits.max_depth, max_elements=limits.max_elements)
    return document, memoryview(body)[end:]


def _end(body: bytes) -> int:
    """Where the document ends that the body begins with."""
    depth = 0
    for count, token in enumerate(_TOKEN.finditer(body)):
        mark = token[0]
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if not depth:
            return token.end()
        if count > _MOST_TOKENS:
            break
    raise MalformedBodyError("The JSON document before the binary tensors does not end.")
