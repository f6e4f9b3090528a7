"""Exact sums: integers in base 2³², digit by digit, many sums at a time.

A double is an integer times a power of two, so any sum of doubles is one, too, and can be kept without rounding: as the
digits d_k of Σ_k d_k 2^(32 k). Digits are added place by place in any order, and carried at the end; what is then left
is the same whatever the order was, and only what the sum is decides it.

Source: Kulisch's long accumulator; the digits are those of Neal, "Fast exact summation using small and large
superaccumulators", arXiv:1505.05571 (2015), with a window that moves to where the sums are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector

BITS = 32
"""Of a digit."""

Planes: TypeAlias = NDArray[np.uint32]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Sums ≥ 0, exactly; the window holds the lowest and the highest digit that is not 0 in any of them.

    Attributes:
        low: the place of the first plane: its digits count for 2^(32 low).
        planes: ``UInt32[places, sums]``.
    """

    low: int
    planes: Planes

    @classmethod
    def nothing(cls, sums: int) -> Digits:
        """So many sums of 0."""
        return cls(0, np.zeros((0, sums), np.uint32))

    @classmethod
    def of_integers(cls, integers: Integers, exponent: int = 0) -> Digits:
        """``integers`` · 2^exponent, for integers ≥ 0."""
        carried = Accumulator(len(integers))
        carried.add(integers, exponent)
        return carried.digits()

    @property
    def high(self) -> int:
        """The place above the last plane."""
        return self.low + len(self.planes)

    def collapsed(self, exponent: int = 0) -> Digits:
        """The sum of all, times 2^exponent."""
        whole = Accumulator(1)
        for place, plane in enumerate(self.planes, self.low):
            whole.add(np.add.reduce(plane, keepdims=True, dtype=np.int64), BITS * place + exponent)
        return whole.digits()

    def shifted(self, places: int) -> Digits:
        """The sums times 2^(32 places)."""
        return replace(self, low=self.low + places if len(self.planes) else 0)

    def fractions(self) -> list[Fraction]:
        """The sums as they are."""
        scale = Fraction(2) ** (BITS * self.low)
        rows = np.ascontiguousarray(self.planes.T, dtype="<u4")
        return [int.from_bytes(row.tobytes(), "little") * scale for row in rows]

    def floats(self) -> Vector:
        """The nearest doubles (in the range of normal ones), ``Float64[sums]``.

        The first 64 bits from the leading one on are rounded as they are, with a last bit that says whether there is
        more below.
        """
        places, sums = self.planes.shape
        if places == 0:
            return np.zeros(sums)
        if places <= 2:  # noqa: PLR2004  64 bits: an integer of this machine, which it rounds by itself
            whole = self.planes[-1].astype(np.uint64)
            whole = whole if places == 1 else (whole << np.uint64(BITS)) | self.planes[0]
            return np.ldexp(whole.astype(np.float64), BITS * self.low)
        at = np.arange(sums)
        planes = np.concatenate([np.zeros((2, sums), np.uint64), self.planes.astype(np.uint64)])
        leading = places + 1 - np.argmax(planes[:1:-1] != 0, axis=0)
        first, second, third = (planes[leading - back, at] for back in range(3))
        below = np.cumsum(planes != 0, axis=0)[np.maximum(leading - 3, 0), at] > 0
        free = (BITS - np.frexp(first.astype(np.float64))[1]).astype(np.uint64)
        spare = np.uint64(BITS) - free
        top = (((first << np.uint64(BITS)) | second) << free) | (third >> spare)
        rest = (third << free) & np.uint64((1 << BITS) - 1)
        top |= ((rest != 0) | below).astype(np.uint64)
        exponent = BITS * (self.low + leading - 3) - free.astype(np.int64)
        with np.errstate(over="ignore"):  # sums of cubes may lie beyond
            return np.where(first == 0, 0, np.ldexp(top.astype(np.float64), exponent))


class Accumulator:
    """Digits that are still being added to; not carried, so 2³⁰ additions have room."""

    def __init__(self, sums: int) -> None:
        self._sums = sums
        self._places: dict[int, Integers] = {}

    def add(self, integers: Integers, exponent: int) -> None:
        """Add ``integers`` · 2^exponent; single ones may be negative, if the sums are not."""
        place, shift = divmod(exponent, BITS)
        if not shift:
            self._add_plane(place, integers & _MASK)
            self._add_plane(place + 1, integers >> BITS)
            return
        lower, upper = integers & _MASK, integers >> BITS
        for above, part in ((0, lower << shift), (1, upper << shift)):
            self._add_plane(place + above, part & _MASK)
            self._add_plane(place + above + 1, part >> BITS)

    def add_digits(self, digits: Digits) -> None:
        """Add sums that are finished."""
        for above, plane in enumerate(digits.planes):
            self._add_plane(digits.low + above, plane.astype(np.int64))

    def digits(self) -> Digits:
        """The sums, carried."""
        if not self._places:
            return Digits.nothing(self._sums)
        low, high = min(self._places), max(self._places) + 1
        planes = np.zeros((high - low, self._sums), np.int64)
        for place, plane in self._places.items():
            planes[place - low] = plane
        return carried(low, planes)

    def _add_plane(self, place: int, plane: Integers) -> None:
        if place in self._places:
            self._places[place] += plane
        elif plane.any():
            self._places[place] = plane.copy()


def carried(low: int, planes: Integers) -> Digits:
    """The digits of sums ≥ 0 from planes that are not carried yet, ``Int64[places, sums]``."""
    finished = []
    carry = np.zeros(planes.shape[1], np.int64)
    for plane in planes:
        carry = carry + plane
        finished.append((carry & _MASK).astype(np.uint32))
        carry >>= BITS
    while carry.any():
        finished.append((carry & _MASK).astype(np.uint32))
        carry >>= BITS
    whole = np.array(finished, np.uint32).reshape(-1, planes.shape[1])
    used = np.flatnonzero(whole.any(axis=1))
    if not used.size:
        return Digits.nothing(planes.shape[1])
    return Digits(low + int(used[0]), whole[used[0] : used[-1] + 1])


_MASK = np.int64((1 << BITS) - 1)
