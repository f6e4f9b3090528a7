"""One batch in every format, and answers of every format in the form of the JSON one."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from wire.arrows import batch, batches, parquet, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
NPZ = "application/x-npz"
NPY = "application/x-npy"
NDJSON = "application/x-ndjson"
JSON = "application/json"

Arrays = dict[str, Any]


def as_json(arrays: Arrays) -> bytes:
    """A request as JSON."""
    return json.dumps({name: np.asarray(values).tolist() for name, values in arrays.items()}).encode()


def as_npz(arrays: Arrays) -> bytes:
    """A request as npz."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def as_record_batch(arrays: Arrays) -> pa.RecordBatch:
    """A request as columns."""
    renamed = {"sample_weights": "sample_weight"}
    others = {renamed.get(name, name): arrays[name] for name in arrays if name not in ("logits", "targets")}
    return batch(arrays["logits"], arrays["targets"], **others)


def as_arrow(arrays: Arrays) -> bytes:
    """A request as an Arrow stream of one batch."""
    return stream([as_record_batch(arrays)])


def as_parquet(arrays: Arrays) -> bytes:
    """A request as a Parquet file."""
    return parquet(pa.Table.from_batches([as_record_batch(arrays)]))


WHOLE: dict[str, Callable[[Arrays], bytes]] = {
    JSON: as_json,
    NPZ: as_npz,
    PARQUET: as_parquet,
    ARROW: as_arrow,
}
"""How a request is written in each format that names its arrays."""


def read_answer(media_type: str, content: bytes) -> dict[str, Any]:
    """An answer of one batch under flat names: arrays, numbers and words."""
    if media_type == JSON:
        return flat(json.loads(content))
    if media_type == NPZ:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return {name: found[name] if found[name].ndim else found[name].item() for name in found}
    assert media_type == ARROW
    *parts, (_, metadata) = batches(content)
    table = pa.Table.from_batches([rows for rows, _ in parts])
    columns = {name: column_of(table[name]) for name in table.column_names}
    told = parts[0][1].get(b"lossmeter.batch") or metadata[b"lossmeter.summary"]
    beside: dict[str, Any] = json.loads(told)
    return columns | beside


def column_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column as an array, of lists as a matrix."""
    whole = column.combine_chunks()
    if pa.types.is_fixed_size_list(whole.type):
        matrix: NDArray[Any] = whole.flatten().to_numpy().reshape(len(whole), -1)
        return matrix
    vector: NDArray[Any] = whole.to_numpy(zero_copy_only=False)
    return vector


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON answer with dotted names for what is in ``kl``."""
    kl = {f"kl.{name}": value for name, value in (document.get("kl") or {}).items()}
    return {name: value for name, value in document.items() if name != "kl"} | kl
