"""Bytes as a socket likes them: neither crumbs nor hundreds of megabytes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Buffer = bytes | bytearray | memoryview

_SMALL: Final = 1 << 16
_LARGE: Final = 1 << 20


def chunked(parts: Iterable[Buffer]) -> Iterator[bytes | memoryview]:
    """The bytes of the parts: small parts together, large ones as views of a megabyte each."""
    waiting = bytearray()
    for part in parts:
        view = memoryview(part)
        if len(view) < _SMALL:
            waiting += view
        if waiting and (len(view) >= _SMALL or len(waiting) >= _SMALL):
            yield bytes(waiting)
            waiting.clear()
        if len(view) >= _SMALL:
            yield from (view[start : start + _LARGE] for start in range(0, len(view), _LARGE))
    if waiting:
        yield bytes(waiting)
