"""A state in bytes: a header in JSON, then the arrays as they lie in memory (little-endian).

``LMS1``, the length of the header (4 bytes), the header: the document without arrays, and of each table the number
of rows, the width of its keys in bytes, and its window; then of each table its gaps and its digits. What comes back is
read as a document is, and must be the very bytes that it packs to.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from lossmeter.engine.state.layout import TABLES
from lossmeter.errors import MalformedBodyError

MAGIC = b"LMS1"
MOST_HEADER = 64 * 1024 * 1024


def pack_document(document: dict[str, Any]) -> bytes:
    """The document in bytes."""
    tables, arrays = {}, []
    for name, table in document["tables"].items():
        gaps, planes = table["gaps"], table["digits"]
        width = 4 if gaps.max() < 1 << 32 else 8
        tables[name] = [len(gaps), width, table["low"], len(planes)]
        arrays += [gaps.astype(f"<u{width}"), *(plane.astype("<u4") for plane in planes)]
    said = json.dumps({**document, "tables": tables}, separators=(",", ":")).encode()
    header = struct.pack("<4sI", MAGIC, len(said)) + said
    return b"".join([header, *(array.tobytes() for array in arrays)])


def unpack_document(data: bytes) -> dict[str, Any]:
    """The document that was packed, not yet checked.

    Raises:
        MalformedBodyError: bytes that are none.
    """
    try:
        magic, length = struct.unpack_from("<4sI", data)
        document = json.loads(data[8 : 8 + length])
        at, tables = 8 + length, {}
        for name, (rows, width, low, places) in document["tables"].items():
            gaps, at = _taken(data, at, rows, width)
            planes = []
            for _ in range(_small(places)):
                plane, at = _taken(data, at, rows * len(TABLES[name]), 4)
                planes.append(plane)
            tables[name] = {"gaps": gaps, "low": low, "digits": planes}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedBodyError("these bytes are no packed state") from error
    if magic != MAGIC or at != len(data):
        raise MalformedBodyError("these bytes are no packed state")
    return {**document, "tables": tables}


def _taken(data: bytes, at: int, count: int, width: int) -> tuple[np.ndarray[Any, Any], int]:
    """So many integers, and where the next ones begin."""
    if type(count) is not int or count < 0 or width not in {4, 8} or at + count * width > len(data):
        raise ValueError
    return np.frombuffer(data, f"<u{width}", count, at), at + count * width


def _small(places: int) -> int:
    if type(places) is not int or not 0 <= places < 1 << 10:
        raise ValueError
    return places
