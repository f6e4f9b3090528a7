"""Arrow IPC streams: messages in, arrays out; answers in, messages out. Needs pyarrow, the extra ``arrow``.

An answer has the columns of ``parts.ROW_PARTS`` that were asked for, then the columns of the request that are
nothing to us. Metadata are JSON: each batch has what its answer says beside the rows under ``lossmeter.batch``;
the last one has no rows, and under ``lossmeter.summary`` what is to be said of the whole stream, or under
``lossmeter.problem`` why it ends before its time. The schema of a whole answer has the summary, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError
from lossmeter.wire import arrow_frames, json
from lossmeter.wire.columns import NO_GROUPS, Layout, check_carried, joined, row_columns
from lossmeter.wire.parts import ROW_PARTS, flat
from lossmeter.wire.piece import Framer, Groups, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Buffer = bytes | bytearray | memoryview

SUMMARY: Final = "lossmeter.summary"
PROBLEM: Final = "lossmeter.problem"
BATCH: Final = "lossmeter.batch"

_ROWS: Final = 1 << 16
_BYTES: Final = 1 << 23
"""What a batch has of an answer that is cut by us, at most but for a single row."""


class Reader:
    """The batches of rows in the messages of a stream.

    Attributes:
        layout: which column is what; known after the first message.
    """

    def __init__(self, limit: int, groups: Groups = NO_GROUPS) -> None:
        self._groups = groups
        self.layout: Layout | None = None
        self._schema: pa.Schema | None = None
        self._limit = limit

    def read(self, message: Buffer) -> pa.RecordBatch | None:
        """The rows of a message, or None for the schema.

        Raises:
            MalformedBodyError: the message is damaged, or comes where it should not.
            InvalidInputError: columns of types that are not taken.
            TooLargeError: the batch decompresses to more than the limit.
        """
        is_schema = arrow_frames.kind_of(message, self._limit) == arrow_frames.SCHEMA
        if is_schema != (self._schema is None):
            raise MalformedBodyError("An Arrow stream has one schema, which comes first.")
        try:
            opened = pa.ipc.read_message(pa.py_buffer(message))
            if self._schema is None:
                self._schema = pa.ipc.read_schema(opened)
                self.layout = Layout(self._schema, self._groups)
                return None
            batch = pa.ipc.read_record_batch(opened, self._schema)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise MalformedBodyError(f"A message of the Arrow stream is damaged: {_short(error)}") from None
        return batch


class Source:
    """The batches of a stream of messages."""

    def __init__(self, limit: int, groups: Groups = NO_GROUPS) -> None:
        self.framer: Framer = arrow_frames.Framer()
        self._reader = Reader(limit, groups)

    def pieces(self, unit: Buffer) -> Iterator[Piece]:
        """The rows of a message, if it has any.

        Raises:
            LossmeterError: as ``Reader.read`` does; or a column is not what it should be, then with its row.
        """
        batch, layout = self._reader.read(unit), self._reader.layout
        if batch is not None and layout is not None:
            carried = batch.select(layout.carried) if layout.carried else None
            yield Piece(layout.arrays(batch), carried=carried, renamed=layout.renamed)

    def row_of(self, error: LossmeterError) -> int | None:
        """The row that such an error is about: it stands behind the column's name."""
        path = error.problems[0].path if isinstance(error, InvalidInputError) else ()
        return path[1] if len(path) > 1 and isinstance(path[1], int) else None


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


def read(
    body: Buffer, limit: int, groups: Groups = NO_GROUPS
) -> tuple[dict[str, Any], list[pa.RecordBatch], Layout]:
    """A whole stream: the contract's arrays, the carried columns, and which column is what."""
    reader = Reader(limit, groups)
    batches = [
        batch for message in arrow_frames.messages(body) if (batch := reader.read(message)) is not None
    ]
    if reader.layout is None:
        raise MalformedBodyError("The Arrow stream is empty: not even a schema is there.")
    return gathered(batches, reader.layout)


def gathered(
    batches: list[pa.RecordBatch], layout: Layout
) -> tuple[dict[str, Any], list[pa.RecordBatch], Layout]:
    """The arrays of all batches, what they carry, and which column is what."""
    arrays = joined([layout.arrays(batch) for batch in batches])
    carried = [batch.select(layout.carried) for batch in batches] if layout.carried else []
    return arrays, carried, layout


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says beside its rows."""
    return {name: value for name, value in flat(document).items() if name not in ROW_PARTS}


def _encoded(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    return {key: json.encode(value) for key, value in metadata.items()}


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
