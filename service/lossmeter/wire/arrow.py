"""Arrow IPC streams, messages in and arrays out. Needs pyarrow, the extra ``arrow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError
from lossmeter.wire import arrow_frames
from lossmeter.wire.columns import NO_GROUPS, Layout, joined
from lossmeter.wire.piece import Framer, Groups, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview


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


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
