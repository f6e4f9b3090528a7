"""The truth about labels that are each true or not, read block by block: nothing of the batch's size is made.

A truth t is seen from the outcome that it leans to: that one is true with a share of 1 − r, the other with the minor
share r = min(t, 1−t) ≤ ½. Both are as exact as t itself, at 1e-20 as at 1 − 1e-16, and r is 0 where the truth is hard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import Mask, Matrix, floats, offenders
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Floats, Vector
    from lossmeter.engine.blocks import Rows


@dataclass(frozen=True, slots=True, eq=False)
class BinaryTargets:
    """The truth of every label.

    Attributes:
        values: ``Float[n, labels]`` in [0, 1], or whole numbers, as sent.
        ignored: ``Bool[n]``; None where no row is.
        single: whether one number per row was sent, so that the classes are "0" and "1" and not labels.
    """

    values: Matrix
    ignored: Mask | None
    single: bool

    def load(self, rows: Rows) -> Matrix:
        """A block as sent, 0 in rows that are ignored."""
        block = self.values[rows]
        return block if self.ignored is None else np.where(self.ignored[rows][:, None], 0, block)

    def shares(self, rows: Rows, smoothing: float) -> tuple[Mask, Matrix]:
        """Which labels of a block lean to true, and their minor shares, smoothed towards one half; float64."""
        truth = np.ascontiguousarray(self.load(rows), dtype=np.float64)
        minor = np.minimum(truth, 1 - truth)
        if not np.min(minor) >= 0:
            self.check()
        return truth > 0.5, smoothed(minor, smoothing)  # noqa: PLR2004  one half

    def counts(self) -> Vector:
        """How many examples each class has: those of truth 0 and truth 1, or those in which each label is true."""
        self.check()
        counted = True if self.ignored is None else ~self.ignored[:, None]
        true = np.add.reduce(self.values, axis=0, dtype=np.float64, where=counted)
        n = len(self.values) if self.ignored is None else np.count_nonzero(counted)
        return np.array([n - true[0], true[0]]) if self.single else true

    def check(self) -> None:
        """Refuse a truth outside [0, 1], naming the first of them in the whole batch.

        Raises:
            InvalidInputError: there is one.
        """
        for rows in blocks.cut(self.values.shape):
            block = self.load(rows)
            if not (np.min(block) >= 0 and np.max(block) <= 1):
                raise self._refusal()

    def _refusal(self) -> InvalidInputError:
        whole = self.load(slice(None))
        outside = ~((whole >= 0) & (whole <= 1))
        sent = self.values[:, 0] if self.single else self.values
        bad = outside[:, 0] if self.single else outside
        return offenders(bad, sent, "targets", detail="a truth in [0, 1] is wanted")


def smoothed(minor: Floats, smoothing: float) -> Floats:
    """The minor share of t (1−α) + α/2."""
    return minor * (1 - smoothing) + smoothing / 2 if smoothing else minor


def binary_targets(sent: ArrayLike, shape: tuple[int, ...], ignore_index: int | None) -> BinaryTargets:
    """The truth of a binary loss, in the shape of the input; its values are checked when they are read.

    Raises:
        InvalidInputError: another shape, no numbers, or ``ignore_index`` with more than one label per row.
    """
    whole = isinstance(sent, np.ndarray) and sent.dtype.kind in "iu" and sent.ndim in {1, 2} and sent.size
    truth: Floats = sent if whole else floats(sent, "targets", ranks=(1, 2))  # type: ignore[assignment]  # read as floats, block by block
    if truth.shape != shape:
        detail = f"the shape of the input is wanted, {list(shape)}, not {list(truth.shape)}"
        raise InvalidInputError.at("targets", detail=detail)
    single = truth.ndim == 1
    return BinaryTargets(truth[:, None] if single else truth, _ignored(truth, ignore_index), single=single)


def _ignored(targets: Floats, ignore_index: int | None) -> Mask | None:
    if ignore_index is None:
        return None
    if targets.ndim > 1:
        detail = "one target per row is wanted with it, these are rows of labels"
        raise InvalidInputError.at("ignore_index", detail=detail)
    ignored = targets == ignore_index
    return ignored if ignored.any() else None
