"""Answers as Arrow IPC streams. Needs pyarrow, the extra ``arrow``.

An answer has the columns of ``parts.ROW_PARTS`` that were asked for, then the columns of the request that are
nothing to us. Metadata are JSON: each batch has what its answer says beside the rows under ``lossmeter.batch``;
the last one has no rows, and under ``lossmeter.summary`` what is to be said of the whole stream, or under
``lossmeter.problem`` why it ends before its time. The schema of a whole answer has the summary, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from lossmeter.errors import InvalidInputError
from lossmeter.wire import json
from lossmeter.wire.parts import ROW_PARTS, flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from lossmeter.wire.piece import Piece

    Buffer = bytes | bytearray | memoryview

SUMMARY: Final = "lossmeter.summary"
PROBLEM: Final = "lossmeter.problem"
BATCH: Final = "lossmeter.batch"

_ROWS: Final = 1 << 16
_BYTES: Final = 1 << 23
"""What a batch has of an answer that is cut by us, at most but for a single row."""


class Sink:
    """An answer as an Arrow stream, batch by batch."""

    def __init__(self) -> None:
        self._parts = _Parts()
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._schema = pa.schema([])

    def write(self, document: Mapping[str, Any], piece: Piece) -> Iterable[Buffer]:
        """A batch of the answer, with columns of the request beside it."""
        columns = row_columns(document)
        if piece.carried is not None:
            check_carried(piece.carried.schema.names)
            columns |= dict(zip(piece.carried.schema.names, piece.carried.columns, strict=True))
        self._write(pa.RecordBatch.from_pydict(columns), {BATCH: _about(document)})
        return self._parts.taken()

    def end(self, name: str, record: Mapping[str, Any]) -> Iterable[Buffer]:
        """The last batch, without rows, whose metadata speak of the whole stream; then the end."""
        empty = [pa.array([], field.type) for field in self._schema]
        self._write(pa.RecordBatch.from_arrays(empty, schema=self._schema), {f"lossmeter.{name}": record})
        self._open(self._schema).close()
        return self._parts.taken()

    def write_whole(
        self, document: Mapping[str, Any], carried: list[pa.RecordBatch] | None
    ) -> Iterator[Buffer]:
        """A whole answer, in batches of our own size."""
        columns: dict[str, Any] = dict(row_columns(document))
        if carried:
            table = pa.Table.from_batches(carried)
            columns |= dict(zip(table.schema.names, table.columns, strict=True))
        summary = {SUMMARY: _about(document)}
        table = pa.table(columns).replace_schema_metadata(_encoded(summary))
        step = max(1, min(_ROWS, _BYTES * len(table) // max(1, table.nbytes)))
        for batch in table.to_batches(max_chunksize=step):
            self._write(batch, {})
            yield from self._parts.taken()
        yield from self.end("summary", summary[SUMMARY])

    def _write(self, batch: pa.RecordBatch, metadata: Mapping[str, Any]) -> None:
        self._open(batch.schema).write_batch(batch, custom_metadata=_encoded(metadata) or None)

    def _open(self, schema: pa.Schema) -> pa.RecordBatchStreamWriter:
        if self._writer is None:
            self._schema = schema
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._parts, mode="w"), schema)
        return self._writer


class _Parts:
    """A file that keeps what is written to it where it lies; pyarrow writes its large buffers without a copy."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[Any] = []

    def write(self, part: Any) -> int:  # noqa: ANN401 - bytes or a buffer of pyarrow
        """One more part."""
        self._parts.append(part)
        return len(part)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> list[Any]:
        """The parts since the last time."""
        taken, self._parts = self._parts, []
        return taken


def row_columns(document: Mapping[str, Any]) -> dict[str, pa.Array]:
    """The parts of an answer that have a row for each row; matrices as lists of fixed size."""
    parts = flat(document)
    return {name: _column(parts[name]) for name in ROW_PARTS if parts.get(name) is not None}


def check_carried(carried: Iterable[str]) -> None:
    """Refuses columns whose names the answer needs.

    Raises:
        InvalidInputError: names the column.
    """
    for name in carried:
        if name in ROW_PARTS:
            raise InvalidInputError.at(
                name, detail="is a column of the answer; it can be carried under another name"
            )


def _column(values: NDArray[Any]) -> pa.Array:
    whole = np.ascontiguousarray(values)
    column = pa.array(whole.reshape(-1))
    return column if whole.ndim == 1 else pa.FixedSizeListArray.from_arrays(column, whole.shape[1])


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says beside its rows."""
    return {name: value for name, value in flat(document).items() if name not in ROW_PARTS}


def _encoded(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: json.encode(value) for key, value in metadata.items()}
