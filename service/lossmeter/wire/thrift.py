"""As much of Thrift's compact protocol as it takes to look into a Parquet file before it is believed.

Source: thrift-compact-protocol.md. A struct is a dictionary by number and type of its fields, since a reader that
knows the schema passes over a field of the wrong type, and so must whoever judges for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import MalformedBodyError, TooLargeError

if TYPE_CHECKING:
    Struct = dict[tuple[int, int], Any]

I32: Final = 5
I64: Final = 6
LIST: Final = 9
STRUCT: Final = 12

_BOOLEANS: Final = (1, 2)
_BYTE, _I16, _DOUBLE, _BINARY, _SET = 3, 4, 7, 8, 10
_DEEPEST: Final = 16
_LONG_LIST: Final = 15
_LONGEST_NUMBER: Final = 63


class Reader:
    """Values from a place in a buffer on.

    Attributes:
        at: where the next value begins.
        left: how many more values are read before that is too many.
    """

    def __init__(self, body: memoryview, at: int, left: int) -> None:
        self.at = at
        self.left = left
        self._body = body

    def struct(self, depth: int = 0) -> Struct:
        """A struct.

        Raises:
            MalformedBodyError: what is there is none.
            TooLargeError: it has more values than are left.
        """
        if depth > _DEEPEST:
            raise MalformedBodyError("The metadata of the Parquet file are nested too deeply.")
        found: Struct = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            kind = head & 0x0F
            # A boolean field has its value in its type.
            found[field, kind] = None if kind in _BOOLEANS else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401 - of any type
        self.left -= 1
        if self.left < 0:
            raise TooLargeError("The metadata of the Parquet file are too long; write larger row groups.")
        if kind in (_I16, I32, I64):
            return self._signed()
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, _SET):
            return self._list(depth)
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind in (_BYTE, _DOUBLE):
            return self._bytes(1 if kind == _BYTE else 8)
        raise MalformedBodyError("What should be metadata of the Parquet file are none.")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = self._unsigned() if head >> 4 == _LONG_LIST else head >> 4
        # An element that is a boolean takes a byte, unlike a field.
        kind = _BYTE if head & 0x0F in _BOOLEANS else head & 0x0F
        if depth > _DEEPEST:
            raise MalformedBodyError("The metadata of the Parquet file are nested too deeply.")
        return [self._value(kind, depth + 1) for _ in range(size)]

    def _bytes(self, length: int) -> memoryview:
        start, self.at = self.at, self.at + length
        if self.at > len(self._body):
            raise _cut_off()
        return self._body[start : self.at]

    def _signed(self) -> int:
        raw = self._unsigned()
        return (raw >> 1) ^ -(raw & 1)

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > _LONGEST_NUMBER:
                raise MalformedBodyError("A number in the metadata of the Parquet file is too long.")

    def _byte(self) -> int:
        if not 0 <= self.at < len(self._body):
            raise _cut_off()
        byte = self._body[self.at]
        self.at += 1
        return byte


def _cut_off() -> MalformedBodyError:
    return MalformedBodyError("The metadata of the Parquet file are cut off.")
