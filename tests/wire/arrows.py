"""Arrow streams and Parquet files for tests, written by pyarrow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


def lists(matrix: NDArray[Any]) -> pa.Array:
    """A matrix as a column of lists of fixed size."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def batch(logits: NDArray[Any], targets: Any, **others: Any) -> pa.RecordBatch:  # noqa: ANN401 - what pyarrow takes
    """Rows as the service wants them."""
    return pa.RecordBatch.from_pydict({"logits": lists(logits), "target": pa.array(targets), **others})


def stream(batches: Sequence[pa.RecordBatch], compression: str | None = None) -> bytes:
    """The batches as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for each in batches:
            writer.write_batch(each)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def parquet(table: pa.Table, **options: Any) -> bytes:  # noqa: ANN401 - what pyarrow takes
    """The table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def batches(content: bytes) -> Iterator[tuple[pa.RecordBatch, dict[bytes, bytes]]]:
    """The batches of an answer and the metadata of each."""
    reader = pa.ipc.open_stream(content)
    while True:
        try:
            found = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            return
        yield found.batch, dict(found.custom_metadata or {})
