"""What the pages of a Parquet file come to when they are decompressed, added up before any of them is.

A file's metadata tell sizes, too, but the reader believes the header of each page: one of 30 bytes can announce
2 GB, or that a single row's list has 2³¹ numbers. So the headers are walked over first. Not with pyarrow's objects
for the metadata: they end the process when some statistics are damaged (seen with pyarrow 26). Source: parquet.thrift.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire.thrift import I32, I64, LIST, STRUCT, Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    Struct = dict[tuple[int, int], Any]

MAGIC: Final = b"PAR1"

_TAIL: Final = struct.Struct("<I4s")
_MOST_METADATA: Final = 500_000
"""Values; a column chunk has two dozen."""

_MOST_PAGES: Final = 10_000
_SMALLEST_PAGE: Final = 1024
"""Mean bytes of a page in a file of very many."""
_MOST_IN_HEADER: Final = 1000

# Fields of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData,
_ROW_GROUPS, _COLUMNS, _METADATA = (4, LIST), (1, LIST), (3, STRUCT)
_PATH, _LENGTH, _DATA, _DICTIONARY = (3, LIST), (7, I64), (9, I64), (11, I64)
# and of PageHeader and the headers of data pages of version 1 and 2.
_UNPACKED, _PACKED, _PAGES, _VALUES = (2, I32), (3, I32), ((5, STRUCT), (8, STRUCT)), (1, I32)


def check_pages(body: memoryview, names: Collection[str], limit: int, max_elements: int) -> None:
    """Adds up the pages of some columns.

    Args:
        body: the file.
        names: of the columns; what lies in them counts with them.
        limit: the most bytes that the pages may have together.
        max_elements: the most values that they may have together.

    Raises:
        MalformedBodyError: what is there is no page, or lies outside of the file.
        TooLargeError: more bytes, values or pages.
    """
    size = values = pages = 0
    most_pages = _MOST_PAGES + len(body) // _SMALLEST_PAGE
    for start, end in _chunks(body, names):
        reader = Reader(body, start, 0)
        while reader.at < end:
            reader.left = _MOST_IN_HEADER
            header = reader.struct()
            reader.at += max(header.get(_PACKED, 0), 0)
            size += max(header.get(_UNPACKED, 0), 0)
            values += sum(max(header.get(page, {}).get(_VALUES, 0), 0) for page in _PAGES)
            pages += 1
            if size > limit:
                raise TooLargeError(f"The pages of the Parquet file decompress to more than {limit} bytes.")
            if values > max_elements:
                raise TooLargeError(f"The Parquet file holds more than {max_elements} values.")
            if pages > most_pages:
                raise TooLargeError(
                    f"The Parquet file has more than {most_pages} pages; write larger row groups."
                )


def _chunks(body: memoryview, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where the pages of these columns lie in every row group."""
    for group in _footer(body).get(_ROW_GROUPS, []):
        for column in _structs(group, _COLUMNS):
            chunk = column.get(_METADATA, {})
            path = chunk.get(_PATH) or [b""]
            if isinstance(path[0], int) or bytes(path[0]).decode("utf-8", "replace") not in names:
                continue
            start = data = chunk.get(_DATA, -1)
            if 0 < chunk.get(_DICTIONARY, 0) < data:
                start = chunk[_DICTIONARY]
            end = start + chunk.get(_LENGTH, -1)
            if not 0 <= start <= end <= len(body):
                raise MalformedBodyError("A column of the Parquet file lies outside of it.")
            yield start, end


def _structs(parent: object, field: tuple[int, int]) -> list[Struct]:
    """A field that is a list of structs."""
    found = parent.get(field, []) if isinstance(parent, dict) else []
    return [each for each in found if isinstance(each, dict)]


def _footer(body: memoryview) -> Struct:
    length, magic = _TAIL.unpack(body[-_TAIL.size :]) if len(body) >= _TAIL.size else (0, b"")
    start = len(body) - _TAIL.size - length
    if magic != MAGIC or start < 0:
        raise MalformedBodyError("The body is not a Parquet file.")
    return Reader(body[: -_TAIL.size], start, _MOST_METADATA).struct()
