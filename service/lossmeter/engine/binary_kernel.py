"""Binary cross-entropy of logits, step by step over flat memory that is used again: the path that has to be fast.

Let u be how far a logit leans away from the truth: −z where the truth is 1, z where it is 0. Then the loss is
log1p(e^u) and its slope by u is e^u/(1 + e^u): one exponential, nothing subtracted, every digit kept from e^−600 to
e^600. A truth with a minor share r (see ``binary_targets``) takes r·u from the loss, which leaves at least half of it,
and r from the slope. Hard rows are no special case: r = 0 changes no bit, and is left out where a block has no other.

float32 stays float32 here, at the price of the 3.6 units by which NumPy's exponential is off. Bounds: the loss of a
label 6; its slope 6 of the larger of its two terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

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

INTEGERS: dict[int, type[np.signedinteger[Any]]] = {4: np.int32, 8: np.int64}

Bits: TypeAlias = "NDArray[np.signedinteger[Any]]"


class Memory:
    """Flat arrays for one block, all of them taken from the scratch memory of this thread at once."""

    ROLES: ClassVar[tuple[str, ...]] = (
        "odds",
        "side",
        "values",
        "minor",
        "away",
        "turned",
        "logits",
        "truth",
    )

    def __init__(self, size: int) -> None:
        self._size = size
        self._matrix = scratch.matrix("binary", len(self.ROLES), max(size, LONG_ROW))

    def vector(self, role: str, dtype: np.dtype[Any]) -> Vector:
        """What is kept for a role."""
        return self._matrix[self.ROLES.index(role)].view(dtype)[: self._size]

    def flat(self, role: str, block: Matrix, dtype: np.dtype[Any]) -> Vector:
        """The block row by row in one piece of memory: its own where that is so, else a copy."""
        if block.dtype == dtype and block.flags.c_contiguous and block.flags.aligned:
            return block.reshape(-1)
        copy = self.vector(role, dtype)
        np.copyto(copy.reshape(block.shape), block, casting="unsafe")
        return copy


class Leaning:
    """A block of logits, seen from the truth. Its arrays are scratch memory: they last until the next block.

    Attributes:
        calm: whether every logit is finite and none is far.
        hard: whether every truth is 0 or 1.
    """

    def __init__(self, logits: Matrix, targets: BinaryTargets, rows: Rows, smoothing: float) -> None:
        self._shape, self._dtype, self._memory = logits.shape, logits.dtype, Memory(logits.size)
        self._far = far = FAR[logits.dtype]
        self._side, self._minor = _sides(self._memory, targets, rows, logits.dtype, smoothing)
        sent = self._memory.flat("logits", logits, logits.dtype)
        self.hard = self._minor is None
        self.calm = bool(np.minimum.reduce(sent) >= -far and np.maximum.reduce(sent) <= far)
        self._odds = self._memory.vector("odds", self._dtype)
        # Without r and far logits u itself is done with: one array less in the cache.
        plain = self.hard and self.calm
        self._away = self._odds if plain else self._memory.vector("away", self._dtype)
        np.bitwise_xor(_bits(sent), self._side, out=_bits(self._away))
        np.exp(self._away if self.calm else np.minimum(self._away, far), out=self._odds)

    def losses(self) -> Matrix:
        """The loss of every label; to be called once."""
        values = np.log1p(self._odds, out=self._memory.vector("values", self._dtype))
        if not self.calm:
            np.copyto(values, self._away, where=self._away > self._far)
        if self._minor is not None:
            silent = None if self.calm else (self._minor == 0) | (self._away == np.inf)
            pull = np.multiply(self._minor, self._away, out=self._away)
            if silent is not None:
                pull[silent] = 0
            np.subtract(values, pull, out=values)
        return values.reshape(self._shape)

    def sums(self, values: Matrix) -> Vector:
        """Σ over the labels of each row, in the order of ``numerics.row_sums``; short rows are turned first."""
        rows, labels = values.shape
        if labels >= LONG_ROW:
            return np.add.reduce(values, axis=1)
        if labels == 1:
            return values[:, 0]
        turned = self._memory.vector("turned", values.dtype).reshape(labels, rows)
        np.copyto(turned, values.T)
        while labels > 1:
            half = labels // 2
            np.add(turned[:half], turned[half : 2 * half], out=turned[:half])
            if labels % 2:
                turned[0] += turned[labels - 1]
            labels = half
        return turned[0]

    def slopes(self) -> Matrix:
        """The slope of every label's loss by its logit, perhaps −0.0; to be called once, after the losses."""
        whole = np.add(self._odds, 1, out=self._memory.vector("values", self._dtype))
        slopes = np.divide(self._odds, whole, out=self._odds)
        if self._minor is not None:
            np.subtract(slopes, self._minor, out=slopes)
        np.bitwise_xor(_bits(slopes), self._side, out=_bits(slopes))
        return slopes.reshape(self._shape)


def _sides(
    memory: Memory, targets: BinaryTargets, rows: Rows, dtype: np.dtype[Any], smoothing: float
) -> tuple[Bits, Vector | None]:
    """The sign bit of every truth that leans to 1, and the minor shares; None where all of them are 0."""
    block = targets.load(rows)
    truth = memory.flat("truth", block, block.dtype if block.dtype.kind == "f" else dtype)
    minor = None
    if smoothing or not _are_hard(memory, truth):
        minor = _minor_shares(memory, truth)
        if not np.minimum.reduce(minor) >= 0:
            targets.check()
        minor = smoothed(minor, smoothing).astype(dtype, copy=False)
    side = memory.vector("side", dtype)
    if truth.dtype == dtype:
        np.subtract(0.5, truth, out=side)
    else:  # the same sign, without rounding truths near one half to it
        np.subtract(0.5, truth > 0.5, out=side)  # noqa: PLR2004  one half
    bits = _bits(side)
    return np.bitwise_and(bits, np.iinfo(bits.dtype).min, out=bits), minor


def _are_hard(memory: Memory, truth: Vector) -> bool:
    glance = truth[:GLANCE]
    if not (glance * glance == glance).all():
        return False
    squares = np.multiply(truth, truth, out=memory.vector("values", truth.dtype))
    return bool(np.equal(squares, truth).all() and np.maximum.reduce(truth) <= 1)


def _minor_shares(memory: Memory, truth: Vector) -> Vector:
    """The smaller of t and 1−t: 1 − t is exact where it is the smaller."""
    other = np.subtract(1, truth, out=memory.vector("minor", truth.dtype))
    return np.minimum(truth, other, out=other)


def _bits(values: Vector) -> Bits:
    return values.view(INTEGERS[values.itemsize])
