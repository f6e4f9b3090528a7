"""What a loss can be told, described once: for the engine's checks, the OpenAPI schema and the table of losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Vector, floats, offenders

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number that a loss takes.

    Attributes:
        name: its name in a request.
        description: what it does, in one sentence.
        default: its value when nothing is said; None where it is then absent.
        minimum: the smallest value, itself excluded when ``exclusive_minimum``.
        maximum: the largest value, itself excluded when ``exclusive_maximum``.
        scalar: a single number is accepted.
        vector: one number per class (per label of a binary loss), ``Float[classes]``, is accepted.
    """

    name: str = ""
    description: str
    default: float | None
    minimum: float = -math.inf
    maximum: float = math.inf
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    scalar: bool = True
    vector: bool = False

    def check(self, value: ArrayLike | None) -> float | Vector | None:
        """The value as the loss will use it.

        Raises:
            InvalidInputError: not a number, of the wrong shape or out of range; the path starts at ``loss``.
        """
        if value is None and self.default is None:
            return None
        path = ("loss", self.name)
        array = floats(
            value,
            *path,
            ranks=[rank for rank, taken in enumerate((self.scalar, self.vector)) if taken],
        )
        outside = ~self._inside(array)
        if outside.any():
            raise offenders(outside, array, *path, detail=f"{self.range} is wanted")
        return array if array.ndim else float(array)

    @property
    def range(self) -> str:
        """The accepted values in words: ``a number >= 0``."""
        low = (
            f" {'>' if self.exclusive_minimum else '>='} {self.minimum:g}" if self.minimum > -math.inf else ""
        )
        high = (
            f" {'<' if self.exclusive_maximum else '<='} {self.maximum:g}" if self.maximum < math.inf else ""
        )
        return (
            "a finite number" if not (low or high) else f"a number{low}{' and' if low and high else ''}{high}"
        )

    def _inside(self, array: Vector) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        low = array > self.minimum if self.exclusive_minimum else array >= self.minimum
        high = array < self.maximum if self.exclusive_maximum else array <= self.maximum
        return low & high & np.isfinite(array)
