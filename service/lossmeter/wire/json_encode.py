"""Documents with NumPy arrays in them, as JSON.

orjson reads NumPy memory, but writes ``null`` for what is not finite. So where there is a null, the document is
written again, and an array that has such values is written here first, block by block, with the spelled names in
the place of the nulls, and goes into the answer as a fragment.
"""

from __future__ import annotations

import math
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from lossmeter.wire.occurrences import contains

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY
_BLOCK: Final = 1 << 16


def encode(document: object) -> bytes:
    """The document in UTF-8: floats in the shortest digits, or as ``"Infinity"``, ``"-Infinity"``, ``"NaN"``.

    Arrays may have any rank, layout and byte order, of floats, integers or booleans; keys must be strings.
    """
    with suppress(orjson.JSONEncodeError):
        text = orjson.dumps(document, option=_OPTIONS)
        # Nothing is null, so nothing was not finite: most documents are done in one pass.
        if not contains(text, b"null", b"u"):
            return text
    return orjson.dumps(_writable(document), option=_OPTIONS)


def _writable(value: object) -> object:
    """The value as orjson must have it; what needs no change is passed on, not copied."""
    if isinstance(value, dict):
        return {key: _writable(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item) for item in value]
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return _name(float(value))
    return value


def _array(values: NDArray[np.generic]) -> object:
    if values.ndim == 0:
        return _writable(values[()])
    if not np.issubdtype(values.dtype, np.floating):
        return _plain(values)
    floats = values if values.dtype.itemsize <= np.dtype(np.float64).itemsize else values.astype(np.float64)
    return (
        _plain(floats)
        if _is_finite(floats)
        else orjson.Fragment(_spelled(np.atleast_2d(floats), values.ndim))
    )


def _plain(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The values in C order and the byte order of this machine; themselves if they are so already."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _is_finite(values: NDArray[np.generic]) -> bool:
    return all(bool(np.isfinite(block).all()) for block in _blocks(values))


def _blocks(values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """Views of whole rows, of about ``_BLOCK`` elements, so that no temporary is as large as the answer."""
    rows = max(1, _BLOCK // max(1, math.prod(values.shape[1:])))
    return [values[start : start + rows] for start in range(0, len(values), rows)]


def _spelled(rows: NDArray[np.generic], rank: int) -> bytes:
    """The JSON of an array that is not finite; a vector comes as the only row of a matrix."""
    if rank == 1:
        rows = rows.T
    text = BytesIO()
    text.write(b"[")
    for number, block in enumerate(_blocks(rows)):
        text.write(b"," if number else b"")
        text.write(_spelled_block(_plain(block.ravel() if rank == 1 else block)))
    text.write(b"]")
    return text.getvalue()


def _spelled_block(block: NDArray[np.generic]) -> bytes:
    """The items of one block, without the brackets around them."""
    parts = orjson.dumps(block, option=_OPTIONS)[1:-1].split(b"null")
    flat = block.ravel()
    names = [b'"%s"' % _name(value).encode() for value in flat[~np.isfinite(flat)].tolist()]
    return b"".join(part for pair in zip(parts, [*names, b""], strict=True) for part in pair)


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
