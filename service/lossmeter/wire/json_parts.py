"""Large answers in parts: each is written while the one before is on its way, and none waits for the whole.

An answer of 20 000 × 100 gradients is 44 MB of text. As one string it would be there beside the numbers it tells,
while its buffer grows even twice; a part is a few hundred kilobytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.wire.json_encode import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_NUMBERS: Final = 1 << 14
"""How many numbers of an array go into one part, at least one row."""

_BYTES: Final = 1 << 16
"""Parts shorter than this wait for the next."""


def encode_in_parts(document: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of ``encode(document)``, one part after the other."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for piece in _object(document):
        waiting.append(piece)
        size += len(piece)
        if size >= _BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _object(members: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    yield b"{"
    for number, (key, value) in enumerate(members.items()):
        yield (b"," if number else b"") + encode(key) + b":"
        yield from _value(value)
    yield b"}"


def _list(items: list[Any]) -> Iterator[bytes | memoryview]:
    yield b"["
    for number, item in enumerate(items):
        yield b"," if number else b""
        yield from _value(item)
    yield b"]"


def _value(value: object) -> Iterator[bytes | memoryview]:
    if isinstance(value, dict):
        yield from _object(value)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield from _list(value)
    elif isinstance(value, np.ndarray) and value.ndim and value.size > _NUMBERS:
        yield from _array(value)
    else:
        yield encode(value)


def _array(values: NDArray[np.generic]) -> Iterator[bytes | memoryview]:
    """Blocks of items, without the brackets that each block has around it."""
    step = max(1, _NUMBERS * len(values) // values.size)
    for start in range(0, len(values), step):
        yield b"," if start else b"["
        yield memoryview(encode(values[start : start + step]))[1:-1]
    yield b"]"
