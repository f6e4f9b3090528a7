"""Files of rows, read a batch at a time: Parquet, Arrow files and Arrow streams. Needs pyarrow, the extra ``arrow``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

_BUFFER: Final = 1 << 20
_PARQUET: Final = b"PAR1"
_ARROW_FILE: Final = b"ARROW1"


class RowFile(Protocol):
    """A file of rows that can be read more than once.

    Attributes:
        schema: its columns.
        rows: how many there are; None where only reading tells.
        row_bytes: about how many bytes one takes in memory.
    """

    schema: pa.Schema
    rows: int | None
    row_bytes: int

    def read(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The batches in order, of about so many rows or as they lie in the file, of these columns at least."""


def opened(path: str | PathLike[str]) -> RowFile:
    """The file at a path, whatever it is by its first bytes.

    Raises:
        OSError: it is not there, or cannot be read.
        pyarrow.ArrowInvalid: it is not one of rows.
    """
    where = Path(path)
    with where.open("rb") as file:
        magic = file.read(len(_ARROW_FILE))
    if magic.startswith(_PARQUET):
        return ParquetRows(where)
    return ArrowFileRows(where) if magic == _ARROW_FILE else ArrowStreamRows(where)


class ParquetRows:
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            self.schema = file.schema_arrow
            self.rows: int | None = file.metadata.num_rows
            size = sum(file.metadata.row_group(place).total_byte_size for place in range(file.num_row_groups))
            self.row_bytes = size // max(1, file.metadata.num_rows)

    def read(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The batches, of so many rows and these columns."""
        with self._open() as file:
            yield from file.iter_batches(rows, columns=columns, use_threads=False)

    def _open(self) -> pq.ParquetFile:
        # A row group may be most of the file: its pages are read as they come, not ahead.
        return pq.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False)


class ArrowFileRows:
    """An Arrow file, also known as Feather."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
            self.schema = file.schema
            self.rows: int | None = file.count_rows()
        self.row_bytes = _row_bytes(self.read(1))

    def read(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - it has its own batches
        """The batches as they lie in the file."""
        with pa.OSFile(str(self._path)) as source, pa.ipc.open_file(source) as file:
            for place in range(file.num_record_batches):
                yield file.get_batch(place)


class ArrowStreamRows:
    """An Arrow stream that was written to a file."""

    rows: int | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
            self.schema = stream.schema
        self.row_bytes = _row_bytes(self.read(1))

    def read(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - it has its own batches
        """The batches as they lie in the stream."""
        with pa.OSFile(str(self._path)) as source, pa.ipc.open_stream(source) as stream:
            yield from stream


def _row_bytes(batches: Iterator[pa.RecordBatch]) -> int:
    """Bytes of a row of the first batch that has any."""
    found = islice((batch.nbytes // batch.num_rows for batch in batches if batch.num_rows), 1)
    return next(found, 0)
