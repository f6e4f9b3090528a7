"""As much of FlatBuffers as it takes to look into the head of an Arrow message before it is believed.

Source: "FlatBuffer Internals", and Message.fbs of the Arrow format. A table begins with the signed distance
back to its vtable; there, after two sizes, stands the offset of each field, 0 if it is absent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lossmeter.errors import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Table:
    """A table in a buffer; reading outside the buffer is malformed."""

    def __init__(self, buffer: memoryview, at: int) -> None:
        self._buffer = buffer
        self._at = at

    @classmethod
    def root(cls, buffer: memoryview) -> Table:
        """The table that a buffer is made of."""
        return cls(buffer, _read(buffer, "<I", 0))

    def number(self, field: int, layout: str, default: int) -> int:
        """A scalar field, by its place in the schema and its layout in the words of ``struct``."""
        at = self._field(field)
        return _read(self._buffer, layout, at) if at else default

    def table(self, field: int) -> Table | None:
        """A field that is a table."""
        at = self._field(field)
        return Table(self._buffer, at + _read(self._buffer, "<I", at)) if at else None

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A vector of structs of two 64-bit integers."""
        at = self._field(field)
        if not at:
            return
        start = at + _read(self._buffer, "<I", at)
        for place in range(_read(self._buffer, "<I", start)):
            pair = start + 4 + 16 * place
            yield _read(self._buffer, "<q", pair), _read(self._buffer, "<q", pair + 8)

    def _field(self, field: int) -> int:
        """Where the field lies, or 0."""
        vtable = self._at - _read(self._buffer, "<i", self._at)
        slot = 4 + 2 * field
        if slot + 2 > _read(self._buffer, "<H", vtable):
            return 0
        offset = _read(self._buffer, "<H", vtable + slot)
        return self._at + offset if offset else 0


def _read(buffer: memoryview, layout: str, at: int) -> int:
    # A negative place would be one from the end.
    if 0 <= at <= len(buffer) - struct.calcsize(layout):
        value: int = struct.unpack_from(layout, buffer, at)[0]
        return value
    raise MalformedBodyError("The head of an Arrow message is damaged.")
