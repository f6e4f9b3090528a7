"""What the pages of a Parquet file come to when they are decompressed, added up before any of them is.

A file's metadata tell sizes, too, but the reader believes the header of each page: one of 30 bytes can announce
2 GB, or that a single row's list has 2³¹ numbers. So the headers are walked over first. They are Thrift structs
in the compact protocol (thrift-compact-protocol.md; PageHeader of parquet.thrift).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import MalformedBodyError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Field numbers of PageHeader, and of num_values in the headers of data pages of version 1 and 2.
_UNPACKED, _PACKED = (2,), (3,)
_VALUES: Final = ((5, 1), (8, 1))

_MOST_PAGES: Final = 10_000
_SMALLEST_PAGE: Final = 1024
"""Mean bytes of a page in a file of very many."""

_BOOLEANS: Final = (1, 2)
_BYTE: Final = 3
_INTEGERS: Final = (4, 5, 6)
_DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 7, 8, 9, 10, 12
_DEEPEST: Final = 8


def check_pages(body: memoryview, chunks: Iterator[tuple[int, int]], limit: int, max_elements: int) -> None:
    """Adds up the pages of some column chunks.

    Args:
        body: the file.
        chunks: where each begins, and how many bytes it has.
        limit: the most bytes that the pages may have together.
        max_elements: the most values that they may have together.

    Raises:
        MalformedBodyError: what is there is no page, or lies outside of the file.
        TooLargeError: more bytes, values or pages.
    """
    size = values = pages = 0
    most_pages = _MOST_PAGES + len(body) // _SMALLEST_PAGE
    for start, length in chunks:
        at, end = start, start + length
        if not 0 <= start <= end <= len(body):
            raise MalformedBodyError("A column of the Parquet file lies outside of it.")
        while at < end:
            header, at = _Compact(body, at).struct()
            at += max(header.get(_PACKED, 0), 0)
            size += max(header.get(_UNPACKED, 0), 0)
            values += sum(max(header.get(field, 0), 0) for field in _VALUES)
            pages += 1
            if size > limit:
                raise TooLargeError(f"The pages of the Parquet file decompress to more than {limit} bytes.")
            if values > max_elements:
                raise TooLargeError(f"The Parquet file holds more than {max_elements} values.")
            if pages > most_pages:
                raise TooLargeError(
                    f"The Parquet file has more than {most_pages} pages; write larger row groups."
                )


class _Compact:
    """A reader of the compact protocol."""

    def __init__(self, body: memoryview, at: int) -> None:
        self._body = body
        self._at = at

    def struct(self) -> tuple[dict[tuple[int, ...], int], int]:
        """The integers of a struct and of those in it, by the numbers of the fields; and where it ends."""
        found: dict[tuple[int, ...], int] = {}
        try:
            self._struct((), found)
        except IndexError:
            raise MalformedBodyError("A page of the Parquet file is cut off.") from None
        return found, self._at

    def _struct(self, path: tuple[int, ...], found: dict[tuple[int, ...], int]) -> None:
        if len(path) > _DEEPEST:
            raise MalformedBodyError("A page header of the Parquet file is nested too deeply.")
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            value = self._value(head & 0x0F, (*path, field), found)
            if isinstance(value, int):
                found[(*path, field)] = value

    def _value(self, kind: int, path: tuple[int, ...], found: dict[tuple[int, ...], int]) -> Any:  # noqa: ANN401
        if kind in _BOOLEANS:
            return None
        if kind in _INTEGERS:
            return self._signed()
        if kind == _STRUCT:
            return self._struct(path, found)
        if kind == _BINARY:
            length = self._unsigned()
            self._at += length
        elif kind in (_BYTE, _DOUBLE):
            self._at += 1 if kind == _BYTE else 8
        elif kind in (_LIST, _SET):
            self._list(path)
        else:
            raise MalformedBodyError("What should be a page of the Parquet file is none.")
        return None

    def _list(self, path: tuple[int, ...]) -> None:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._unsigned()  # noqa: PLR2004 - 15 says: the size follows
        for _ in range(size):
            # An element that is a boolean takes a byte, unlike a field.
            kind = head & 0x0F
            self._value(_BYTE if kind in _BOOLEANS else kind, (*path, 0), {})

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
            if shift > 63:  # noqa: PLR2004 - the protocol's longest integer
                raise MalformedBodyError("A number in the Parquet file is too long.")

    def _byte(self) -> int:
        byte = self._body[self._at]
        self._at += 1
        return byte
