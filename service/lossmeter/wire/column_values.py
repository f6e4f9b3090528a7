"""What is in Arrow columns, as arrays: without a copy where the numbers lie side by side, without nulls everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def stacked(columns: Sequence[tuple[str, pa.Array]], n: int) -> NDArray[Any]:
    """A column per class as a matrix; numbers of one column stay together."""
    vectors = [numbers(column, name) for name, column in columns]
    for (name, _), vector in zip(columns, vectors, strict=True):
        if vector.ndim > 1:
            raise InvalidInputError.at(
                name, detail="holds lists; expected a number, for this is a column per class"
            )
    stacked = np.empty((len(vectors), n), dtype=np.result_type(*vectors))
    return np.stack(vectors, out=stacked).T


def numbers(column: pa.Array, name: str) -> NDArray[Any]:
    """A column of numbers, or of lists of them, as an array."""
    _refuse_nulls(column, name)
    kind = column.type
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        width = kind.list_size if pa.types.is_fixed_size_list(kind) else _width(column, name)
        items = column.flatten()
        if items.null_count:
            first = int(np.argmax(items.is_null().to_numpy(zero_copy_only=False)))
            raise _null(name, *divmod(first, width))
        return _plain(items, name).reshape(len(column), width)
    return _plain(column, name)


def _plain(column: pa.Array, name: str) -> NDArray[Any]:
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise InvalidInputError.at(
            name, detail=f"has the type {kind}; expected floats or integers, or lists of them"
        )
    found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found


def texts(column: pa.Array, name: str) -> list[str]:
    """A column as texts; numbers and dates as they are written."""
    _refuse_nulls(column, name, "a text")
    if pa.types.is_nested(column.type):
        raise InvalidInputError.at(name, detail=f"has the type {column.type}; expected texts")
    found: list[str] = column.cast(pa.string()).to_pylist()
    return found


def _width(column: pa.Array, name: str) -> int:
    lengths = np.diff(column.offsets.to_numpy(zero_copy_only=False))
    wrong = np.flatnonzero(lengths != lengths[:1])
    if wrong.size:
        row = int(wrong[0])
        detail = f"has {lengths[row]} elements; expected {lengths[0]} as in the other rows"
        raise InvalidInputError.at(name, row, detail=detail)
    return int(lengths[0]) if lengths.size else 0


def _refuse_nulls(column: pa.Array, name: str, wanted: str = "a number") -> None:
    if column.null_count:
        raise _null(name, int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))), wanted=wanted)


def _null(*path: str | int, wanted: str = "a number") -> InvalidInputError:
    return InvalidInputError.at(*path, detail=f"is null; expected {wanted}", value=None)
