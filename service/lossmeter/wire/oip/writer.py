"""Answers: a JSON document, and behind it the memory of the binary outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.wire import json
from lossmeter.wire.chunks import chunked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lossmeter.wire.oip.message import Output

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"

_NAMES: Final[Mapping[type[np.generic], str]] = {np.float64: "FP64", np.float32: "FP32"}

_SMALL: Final = 1 << 14
"""Up to so many numbers, JSON is written at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """An answer, ready to be sent once.

    Attributes:
        media_type: of the body.
        header_length: bytes of JSON before the first binary output; None where there is none.
        size: bytes of the body; None where they are known only when all is written.
        parts: the body.
    """

    media_type: str
    header_length: int | None
    size: int | None
    parts: Iterator[bytes | memoryview]


def write_answer(head: Mapping[str, str], outputs: Sequence[Output]) -> Answer:
    """An answer with these members and outputs; JSON alone where no output is binary.

    Args:
        head: ``model_name``, ``model_version`` and, if the request had one, ``id``.
        outputs: in order.
    """
    document = {**head, "outputs": [_described(output) for output in outputs]}
    chunks = [_bytes_of(output.values) for output in outputs if output.binary]
    if not chunks and sum(output.values.size for output in outputs) > _SMALL:
        return Answer(JSON, None, None, json.encode_in_parts(document))
    # The header goes out before the body, so the document's length must be known by then.
    text = json.encode(document)
    if not chunks:
        return Answer(JSON, None, len(text), iter((text,)))
    return Answer(BINARY, len(text), len(text) + sum(map(len, chunks)), chunked([text, *chunks]))


def _described(output: Output) -> dict[str, Any]:
    """An output's entry in the document, its numbers flat and row-major, as Triton writes them."""
    values = output.values
    entry: dict[str, Any] = {
        "name": output.name,
        "shape": list(values.shape),
        "datatype": _NAMES[values.dtype.type],
    }
    if output.binary:
        return entry | {"parameters": {"binary_data_size": values.nbytes}}
    return entry | {"data": values.ravel()}


def _bytes_of(values: NDArray[Any]) -> memoryview:
    """The memory of an array, little-endian and row-major; copied only if it is not so already."""
    plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data
