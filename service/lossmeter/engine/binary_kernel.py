"""Binary cross-entropy of logits, step by step over flat memory that is used again: the path that has to be fast.

Let u be how far a logit leans away from the truth: −z where the truth is 1, z where it is 0. Then the loss is
log1p(e^u) and its slope by u is e^u/(1 + e^u): one exponential, nothing subtracted, every digit kept from e^−600 to
e^600. A truth with a minor share r (see ``binary_targets``) takes r·u from the loss, which leaves at least half of it,
and r from the slope. Hard rows are no special case: r = 0 changes no bit, and is left out where a block has no other.

float32 stays float32 here, at the price of the 3.6 units by which NumPy's exponential is off. Bounds: the loss of a
label 6; its slope 6 of the larger of its two terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.binary_targets import smoothed
from lossmeter.engine.numerics import LONG_ROW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.binary_targets import BinaryTargets
    from lossmeter.engine.blocks import Rows

FAR = {np.dtype(np.float32): 40.0, np.dtype(np.float64): 600.0}
"""From here on log(1 + e^u) is u, and neither e^u nor e^−u is anywhere near the end of its dtype."""

GLANCE = 64
"""Soft truths show among so few."""

_INTEGERS: dict[int, type[np.signedinteger[Any]]] = {4: np.int32, 8: np.int64}


class Leaning:
    """A block of logits, seen from the truth. Its arrays are scratch memory: they last until the next block.

    Attributes:
        calm: whether every logit is finite and none is far.
        hard: whether every truth is 0 or 1.
    """

    def __init__(self, logits: Matrix, targets: BinaryTargets, rows: Rows, smoothing: float) -> None:
        sent = _flat("logits", logits)
        self._shape, self._dtype = logits.shape, logits.dtype
        self._side, self._minor = _sides(targets, rows, logits.dtype, smoothing)
        far = FAR[self._dtype]
        self.hard = self._minor is None
        self.calm = bool(np.min(sent) >= -far and np.max(sent) <= far)
        self._away = self._vector("away")
        np.bitwise_xor(_bits(sent), self._side, out=_bits(self._away))
        # Without r and far logits u itself is done with: one array less in the cache.
        self._odds = self._away if self.hard and self.calm else self._vector("odds")
        np.exp(self._away if self.calm else np.minimum(self._away, far), out=self._odds)

    def losses(self) -> Matrix:
        """The loss of every label; to be called once."""
        values = np.log1p(self._odds, out=self._vector("values"))
        if not self.calm:
            np.copyto(values, self._away, where=self._away > FAR[self._dtype])
        if self._minor is not None:
            silent = None if self.calm else (self._minor == 0) | (self._away == np.inf)
            pull = np.multiply(self._minor, self._away, out=self._away)
            if silent is not None:
                pull[silent] = 0
            np.subtract(values, pull, out=values)
        return values.reshape(self._shape)

    def slopes(self) -> Matrix:
        """The slope of every label's loss by its logit, perhaps −0.0; to be called once, after the losses."""
        slopes = np.divide(self._odds, np.add(self._odds, 1, out=self._vector("values")), out=self._odds)
        if self._minor is not None:
            np.subtract(slopes, self._minor, out=slopes)
        np.bitwise_xor(_bits(slopes), self._side, out=_bits(slopes))
        return slopes.reshape(self._shape)

    def _vector(self, name: str) -> Vector:
        return _vector(name, self._shape[0] * self._shape[1], self._dtype)


def sums(values: Matrix) -> Vector:
    """Σ over the labels of each row, in the order of ``numerics.row_sums``; short rows are turned first."""
    rows, labels = values.shape
    if labels >= LONG_ROW:
        return np.add.reduce(values, axis=1)
    turned = _vector("turned", rows * labels, values.dtype).reshape(labels, rows)
    np.copyto(turned, values.T)
    while labels > 1:
        half = labels // 2
        np.add(turned[:half], turned[half : 2 * half], out=turned[:half])
        if labels % 2:
            turned[0] += turned[labels - 1]
        labels = half
    return turned[0]


def _sides(
    targets: BinaryTargets, rows: Rows, dtype: np.dtype[Any], smoothing: float
) -> tuple[NDArray[np.signedinteger[Any]], Vector | None]:
    """The sign bit of every truth that leans to 1, and the minor shares; None where all of them are 0."""
    block = targets.load(rows)
    truth = _flat("truth", block, block.dtype if block.dtype.kind == "f" else dtype)
    hard = not smoothing and _are_hard(truth[:GLANCE]) and _are_hard(truth)
    minor = None if hard else _minor_shares(truth)
    if minor is not None:
        if not np.min(minor) >= 0:
            targets.check()
        minor = smoothed(minor, smoothing).astype(dtype, copy=False)
    if truth.dtype != dtype:
        wider, truth = truth, _vector("narrow", len(truth), dtype)
        np.copyto(truth, wider > 0.5)  # noqa: PLR2004  one half
    bits = _bits(np.subtract(0.5, truth, out=_vector("side", len(truth), dtype)))
    return np.bitwise_and(bits, np.iinfo(bits.dtype).min, out=bits), minor


def _are_hard(truth: Vector) -> bool:
    squares = np.multiply(truth, truth, out=_vector("values", len(truth), truth.dtype))
    same = np.equal(squares, truth, out=_vector("same", len(truth), np.dtype(np.bool_)))
    return bool(same.all() and np.max(truth) <= 1)


def _minor_shares(truth: Vector) -> Vector:
    """Min(t, 1−t): 1 − t is exact where it is the smaller."""
    other = np.subtract(1, truth, out=_vector("minor", len(truth), truth.dtype))
    return np.minimum(truth, other, out=other)


def _flat(name: str, block: Matrix, dtype: np.dtype[Any] | None = None) -> Vector:
    """The block row by row in one piece of memory: its own where that is so, else a copy."""
    dtype = dtype or block.dtype
    if block.flags.c_contiguous and block.flags.aligned and block.dtype == dtype:
        return block.reshape(-1)
    copy = _vector(name, block.size, dtype)
    np.copyto(copy.reshape(block.shape), block, casting="unsafe")
    return copy


def _vector(name: str, size: int, dtype: np.dtype[Any]) -> Vector:
    """Scratch memory of any dtype."""
    return scratch.matrix(name, 1, -(-size * dtype.itemsize // 8)).reshape(-1).view(dtype)[:size]


def _bits(values: Vector) -> NDArray[np.signedinteger[Any]]:
    return values.view(_INTEGERS[values.itemsize])
