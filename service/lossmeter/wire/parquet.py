"""Parquet files: the contract's arrays from their columns. Needs pyarrow, the extra ``arrow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lossmeter.errors import InvalidInputError, MalformedBodyError, TooLargeError
from lossmeter.wire import arrow
from lossmeter.wire.columns import NO_GROUPS, Layout
from lossmeter.wire.parquet_pages import check_pages

if TYPE_CHECKING:
    from lossmeter.wire.piece import Groups

    Buffer = bytes | bytearray | memoryview

_LONGEST_STRING: Final = 16 * 1024 * 1024
"""Of the metadata."""

_WIDEST: Final = 256
"""Bits of a carried value of fixed width: those of the largest decimal."""


def read(
    body: Buffer, limit: int, max_elements: int, *, carry: bool, groups: Groups = NO_GROUPS
) -> tuple[dict[str, Any], list[pa.RecordBatch], Layout]:
    """A whole file: the contract's arrays, the carried columns, and which column is what.

    Args:
        body: the file.
        limit: the most bytes that its pages may have when decompressed, and each column of texts.
        max_elements: the most values that its columns may have together.
        carry: whether the columns that are nothing to us are wanted.
        groups: columns by which rows are told apart.

    Raises:
        MalformedBodyError: the file is damaged.
        InvalidInputError: columns of types that are not taken; names the column.
        TooLargeError: more bytes or values.
    """
    try:
        layout = Layout(_open(body).schema_arrow, groups)
        layout.carried = layout.carried if carry else []
        table = _read(body, layout, limit, max_elements)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"The Parquet file is damaged: {str(error)[:200]}") from None
    return arrow.gathered(table.combine_chunks().to_batches(), layout)


def _read(body: Buffer, layout: Layout, limit: int, max_elements: int) -> pa.Table:
    """The columns of the layout, each with all its rows."""
    schema = _open(body).schema_arrow
    wanted = list(dict.fromkeys(layout.used + layout.carried))
    texts = [name for name in wanted if name not in layout.arrays_of and _is_text(schema.field(name))]
    # A text of a megabyte stands once in a file, however many rows have it; and so it does when it is read so.
    file = _open(body, texts)
    check_pages(memoryview(body), frozenset(wanted), limit, max_elements)
    table = file.read(columns=wanted, use_threads=False)
    table.validate(full=True)
    for name in texts:
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, schema.field(name), _spelt_out(table.column(name), schema.field(name), limit)
        )
    return table


def _open(body: Buffer, texts: list[str] | None = None) -> pq.ParquetFile:
    source = pa.BufferReader(pa.py_buffer(body))
    return pq.ParquetFile(source, read_dictionary=texts, thrift_string_size_limit=_LONGEST_STRING)


def _is_text(field: pa.Field) -> bool:
    """Whether the column to be carried holds texts; of others, only plain ones of fixed width can be.

    Raises:
        InvalidInputError: a column of lists, structs or wide values.
    """
    kind = field.type
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if any(test(kind) for test in tests):
        return True
    if not pa.types.is_nested(kind) and (pa.types.is_null(kind) or kind.bit_width <= _WIDEST):
        return False
    raise InvalidInputError.at(
        field.name, detail=f"has the type {kind}, which cannot be carried into the answer"
    )


def _spelt_out(column: pa.ChunkedArray, field: pa.Field, limit: int) -> pa.ChunkedArray:
    """A column of texts with its texts in their rows, once it is known how long they are together."""
    size = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            size += pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
    if size > limit:
        raise TooLargeError(
            f"The texts in the column {field.name[:64]} are longer than {limit} bytes together."
        )
    return column.cast(field.type)
