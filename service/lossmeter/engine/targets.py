"""The truth about each row: a class index, or a distribution over the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import blocks, scratch
from lossmeter.engine.arrays import Indices, Mask, Matrix, Vector, floats, offenders, rectangle
from lossmeter.engine.fused import kernels
from lossmeter.engine.numerics import LONG_ROW, row_sums
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from lossmeter.engine.predictions.base import Chosen


_EXACT = 2**53
"""Up to here every whole number is a float64."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The truth of a batch.

    Attributes:
        indices: ``Int[n]``, the class of every row that has a single one; 0 where a row is ignored or soft.
        classes: how many classes there are.
        ignored: ``Bool[n]``, rows that count nowhere; None where there are none.
        distributions: ``Float[n, classes]``, when some rows are soft; else None.
        soft: ``Bool[n]``, which rows are; None with ``distributions``.
    """

    indices: Indices
    classes: int
    ignored: Mask | None = None
    distributions: Matrix | None = None
    soft: Mask | None = None

    def counts(self) -> Vector:
        """How many examples each class has, ``Float64[classes]``: whole ones, or the shares of soft rows."""
        if self.distributions is not None:
            return np.add.reduce(self.distributions, axis=0, dtype=np.float64)
        scored = self.indices if self.ignored is None else self.indices[~self.ignored]
        return np.bincount(scored, minlength=self.classes).astype(np.float64)

    def as_sent(self, rows: Chosen, *, by_row: bool = False) -> Matrix | None:
        """Some rows of distributions, to be read only; None for short ones, unless those are wanted by row."""
        if self.distributions is None or (self.classes < LONG_ROW and not by_row):
            return None
        return self.distributions[rows]

    def shares(self, rows: Chosen, smoothing: float, excluded: Callable[[], Mask]) -> Matrix:
        """The truth of some rows as distributions, ``Float64[rows, classes]``, to be read only.

        t′ = (1−α) t + α/K, with the share α of ``smoothing`` spread over the K classes not excluded.
        """
        if self.distributions is None:
            indices = self.indices[rows]
            block = scratch.matrix("shares", len(indices), self.classes)
            block[...] = 0
            scratch.flat(block)[scratch.places(indices, self.classes)] = 1
        else:
            sent = self.distributions[rows]
            if not smoothing and sent.dtype == np.float64 and self.as_sent(rows) is not None:
                return sent
            block = scratch.matrix("shares", *sent.shape)
            np.copyto(block, sent)
        return _smoothed(block, smoothing, excluded()) if smoothing else block


def _smoothed(block: Matrix, smoothing: float, excluded: Mask) -> Matrix:
    left = np.count_nonzero(~excluded, axis=1)[:, None]
    np.multiply(block, 1 - smoothing, out=block)
    return np.add(block, np.where(excluded, 0, smoothing / np.maximum(left, 1)), out=block)


def class_targets(
    value: ArrayLike, n: int, classes: int, ignore_index: int | None, tolerance: float
) -> Targets:
    """The truth of a loss over classes, from ``Int[n]`` or ``Float[n, classes]``.

    Raises:
        InvalidInputError: another shape, an index that is no class, a row that is no distribution.
    """
    sent = rectangle(value, "targets")
    if sent.ndim == 1 or (sent.ndim == 0 and sent.dtype != object):
        indices = integers(sent, "targets")
        _same_length(len(indices), n)
        return _by_index(indices, classes, ignore_index)
    if ignore_index is not None:
        raise InvalidInputError.at(
            "ignore_index", detail="class indices are wanted as targets, these are distributions"
        )
    distributions = floats(sent, "targets", ranks=(2,))
    _same_length(len(distributions), n)
    if distributions.shape[1] != classes:
        detail = f"{classes} classes are wanted, as in the input, not {distributions.shape[1]}"
        raise InvalidInputError.at("targets", detail=detail)
    return _by_distribution(distributions, tolerance)


def integers(value: NDArray[Any], name: str) -> Indices:
    """A vector of whole numbers, whatever their dtype.

    Raises:
        InvalidInputError: not whole numbers, not ``Int[n]``, or empty.
    """
    if value.dtype.kind in "iu" and value.dtype != np.uint64 and value.ndim == 1 and value.size:
        return value.astype(np.intp, copy=False)
    numbers = floats(value, name, ranks=(1,)).astype(np.float64)
    if np.maximum.reduce(np.abs(numbers)) <= _EXACT:  # which no NaN is
        whole = numbers.astype(np.intp)
        if (whole == numbers).all():
            return whole
    broken = ~(np.abs(numbers) <= _EXACT) | (numbers != np.floor(numbers))
    raise offenders(broken, numbers, name, detail="a whole number is wanted")


def _by_index(indices: Indices, classes: int, ignore_index: int | None) -> Targets:
    ignored = None if ignore_index is None else indices == ignore_index
    kept = indices if ignored is None or not ignored.any() else np.where(ignored, 0, indices)
    if np.minimum.reduce(kept) < 0 or np.maximum.reduce(kept) >= classes:
        outside = (kept < 0) | (kept >= classes)
        detail = f"a class index in 0 … {classes - 1} is wanted" + (
            "" if ignore_index is None else f", or {ignore_index} (ignore_index)"
        )
        raise offenders(outside, indices, "targets", detail=detail)
    return Targets(kept, classes, ignored if kept is not indices else None)


def _by_distribution(distributions: Matrix, tolerance: float) -> Targets:
    """Rows with a single 1 are told apart from soft ones, so that they are scored exactly as indices are."""
    n, classes = distributions.shape
    indices = np.zeros(n, np.intp)
    soft = np.zeros(n, dtype=bool)
    wrong = np.zeros(n, dtype=bool)
    slack = tolerance + classes * np.finfo(distributions.dtype).eps

    def look(rows: slice) -> None:
        sent = distributions[rows]
        sums, negative, certain = _look_at(sent)
        wrong[rows] = ~(np.abs(sums - 1) <= slack) | negative
        soft[rows] = True
        if certain.size:
            alone = np.count_nonzero(sent[certain], axis=1) == 1
            soft[rows][certain] = ~alone
            indices[rows][certain] = np.where(alone, np.argmax(sent[certain], axis=1), 0)

    blocks.run(distributions.shape, look, matrices=1 if classes >= LONG_ROW else 4)
    if wrong.any():
        raise _no_distribution(distributions, wrong, tolerance)
    return Targets(indices, classes, None, distributions, soft) if soft.any() else Targets(indices, classes)


def _look_at(sent: Matrix) -> tuple[Vector, Mask | np.bool[bool], Indices]:
    """The sums of some rows, which of them have a share below 0 or NaN, and the places of those with a share of 1."""
    loops = kernels()
    if loops is not None:
        sums, least, most = np.empty((3, len(sent)))
        loops.look_at(np.ascontiguousarray(sent), sums, least, most)
        return sums, ~(least >= 0), np.flatnonzero(most == 1)
    block = sent if sent.shape[1] >= LONG_ROW else scratch.matrix("targets", *sent.shape)
    if block is not sent:
        np.copyto(block, sent)
    # One look at the whole block is cheaper than one at each of its rows.
    negative = np.False_ if np.min(block) >= 0 else ~(np.min(block, axis=1) >= 0)
    certain = np.zeros(0, np.intp) if np.max(block) < 1 else np.flatnonzero(np.max(block, axis=1) == 1)
    return row_sums(block), negative, certain


def _no_distribution(distributions: Matrix, wrong: Mask, tolerance: float) -> InvalidInputError:
    negative = ~((distributions >= 0) & (distributions <= 1 + tolerance))
    if negative.any():
        return offenders(
            negative, distributions, "targets", detail="a share of the truth in [0, 1] is wanted"
        )
    first = float(row_sums(distributions[np.flatnonzero(wrong)[:1]])[0])
    detail = f"a row that sums to 1 within {tolerance:g} is wanted (one-hot or soft); the first sums to {first:.9g}"
    return offenders(wrong, distributions, "targets", detail=detail)


def _same_length(rows: int, n: int) -> None:
    if rows != n:
        raise InvalidInputError.at("targets", detail=f"one target per row is wanted: {n} of them, not {rows}")
