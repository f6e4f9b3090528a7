"""Rank and dtype names, and the only door by which numbers become arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lossmeter.errors import ABSENT, MOST_PROBLEMS, InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from lossmeter.errors import Step

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Any rank, float32 or float64."""
Vector: TypeAlias = NDArray[np.floating[Any]]
"""``Float[n]`` or ``Float[classes]``."""
Matrix: TypeAlias = NDArray[np.floating[Any]]
"""``Float[n, classes]``."""
Indices: TypeAlias = NDArray[np.intp]
"""``Int[n]``."""
Mask: TypeAlias = NDArray[np.bool_]
"""``Bool[n]`` or ``Bool[n, classes]``."""

SHAPES = {0: "a number", 1: "Float[n]", 2: "Float[n, classes]"}


def floats(value: ArrayLike | None, *path: Step, ranks: Sequence[int] = (1, 2)) -> Floats:
    """The value as an array of float32 (from float16 and float32) or float64 (from anything else).

    Args:
        value: what the caller sent: an array of any real dtype and memory order, or nested sequences.
        *path: where it stood in the call, for the error.
        ranks: the ranks that are accepted.

    Raises:
        InvalidInputError: not numbers, ragged, empty, or of another rank.
    """
    array = rectangle(value, *path)
    if array.dtype.kind not in "fiu":
        raise InvalidInputError.at(*path, detail=f"numbers are wanted, not {array.dtype.name}")
    if array.ndim not in ranks:
        wanted = " or ".join(SHAPES.get(rank, f"rank {rank}") for rank in ranks)
        raise InvalidInputError.at(*path, detail=f"{wanted} is wanted, not rank {array.ndim}")
    if array.size == 0:
        raise InvalidInputError.at(*path, detail="at least one row and one class are wanted, this is empty")
    return array.astype(_computed_in(array.dtype), copy=False)


def rectangle(value: ArrayLike | None, *path: Step) -> NDArray[Any]:
    """The value as an array of whatever it holds.

    Raises:
        InvalidInputError: rows of different lengths.
    """
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InvalidInputError.at(*path, detail="rows of different lengths") from error


def offenders(bad: Mask, array: NDArray[Any], *path: Step, detail: str) -> InvalidInputError:
    """The error that names the first elements at which ``bad`` is true, and how many there are.

    Args:
        bad: which elements, or which rows, of ``array`` are wrong.
        array: what was sent.
        *path: where it stood in the call.
        detail: what is wrong with each.
    """
    first = np.argwhere(bad)[:MOST_PROBLEMS].tolist()
    whole = bad.ndim == array.ndim
    problems = [Problem((*path, *at), detail, array[tuple(at)].item() if whole else ABSENT) for at in first]
    return InvalidInputError(problems, int(np.count_nonzero(bad)))


def _computed_in(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Half and single precision are computed in float32, everything else in float64."""
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= np.dtype(np.float32).itemsize else np.float64
