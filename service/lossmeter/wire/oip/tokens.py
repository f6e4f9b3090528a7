"""NaN and Infinity as bare words, which are no JSON, but what tritonclient writes.

Its JSON library writes ``NaN``, ``Infinity`` and ``-Infinity``, as Python's own does. A body that no reader of JSON
takes is therefore read once more with these words in quotes, as numbers spelled so are numbers to the readers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lossmeter.errors import MalformedBodyError
from lossmeter.wire import json

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

_MOST_STRINGS: Final = 1 << 16
"""No request of tensors has nearly as many strings; a body that has is not worth a second reading."""


def decode(body: bytes | bytearray, *, max_depth: int, max_elements: int) -> object:
    """The document, as ``json.decode`` has it; bare words for numbers that are not finite are numbers.

    Raises:
        LossmeterError: as ``json.decode`` does.
    """
    try:
        return json.decode(body, max_depth=max_depth, max_elements=max_elements)
    except MalformedBodyError:
        if not (b"NaN" in body or b"Infinity" in body) or body.count(b'"') > 2 * _MOST_STRINGS:
            raise
        quoted = b"".join(_quoted(body))
        return json.decode(quoted, max_depth=max_depth, max_elements=max_elements)


def _quoted(body: bytes | bytearray) -> Iterator[bytes]:
    """The body with the words in quotes wherever it is outside of strings."""
    done = 0
    for string in _STRING.finditer(body):
        yield _spell(bytes(body[done : string.start()]))
        yield string[0]
        done = string.end()
    yield _spell(bytes(body[done:]))


def _spell(text: bytes) -> bytes:
    words = text.replace(b"NaN", b'"NaN"').replace(b"Infinity", b'"Infinity"')
    return words.replace(b'-"Infinity"', b'"-Infinity"')
