"""Sums of products of weights and losses, over all rows or by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.digits import BITS, Accumulator, Digits
from lossmeter.engine.state.exact import exact_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Mask, Vector

EDGES = (2.0**-660, 2.0**-300, 2.0**300, 2.0**660)
PLACES = (-26, -15, 0, 15, 26)
"""By 2^(−32 places) a factor is scaled below and from each edge on, so that doubles hold a product of three."""

LARGEST_SQUARED = 2.0**511
"""Beyond it the square of a class's loss is that of this: no double would hold it."""

PRODUCTS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Powers of w and of y, in the order of ``layout.MOMENTS``."""


def square(y: Vector) -> Vector:
    """y², of losses that are capped where it would overflow."""
    capped = np.minimum(y, LARGEST_SQUARED)
    return capped * capped


def moments(w: Vector | None, y: Vector, keys: Indices | None, sums: int) -> list[Digits]:
    """Units, infinite losses and the sums of powers, by key, in the order of ``layout.MOMENTS``.

    Args:
        w: ``Float64[n]`` ≥ 0; None where all are 1.
        y: ``Float64[n]`` ≥ 0, weighted losses; 0 where w is.
        keys: ``Int[n]`` in 0 … sums − 1; None for a single sum.
        sums: how many there are.
    """
    infinite = np.isinf(y)
    positive = None if w is None else w > 0
    counted = [counts(mask, keys, sums, len(y)) for mask in (positive, infinite)]
    if infinite.any():
        w = np.where(infinite, 0.0, 1.0 if w is None else w)
        y = np.where(infinite, 0, y)
    if w is None:
        of_w = counted[0]
        first, second, third = (_summed(None, y, keys, sums, (0, power)) for power in (1, 2, 3))
        return [*counted, of_w, first, of_w, first, second, of_w, first, second, third]
    return [*counted, *(_summed(w, y, keys, sums, powers) for powers in PRODUCTS)]


def moments_known(y: Vector, first: Digits, second: Digits) -> list[Digits]:
    """The same of rows that all weigh 1, whose Σ y and Σ y² of what is finite are known."""
    if not _ordinary(y):
        return moments(None, y, None, 1)
    units = Digits.of_integers(np.array([len(y)]))
    third = _summed(None, y, None, 1, (0, 3))
    return [units, Digits.nothing(1), units, first, units, first, second, units, first, second, third]


def counts(mask: Mask | None, keys: Indices | None, sums: int, n: int = 0) -> Digits:
    """How many of n rows are true, by key; None is all, or a single sum."""
    if keys is None:
        return Digits.of_integers(np.array([n if mask is None else np.count_nonzero(mask)]))
    return Digits.of_integers(np.bincount(keys if mask is None else keys[mask], minlength=sums))


def _summed(w: Vector | None, y: Vector, keys: Indices | None, sums: int, powers: tuple[int, int]) -> Digits:
    """Σ w^a y^b; factors beyond the range of their product are scaled, and so are the digits in return."""
    summed = Accumulator(sums)
    of_w, of_y = powers
    bands_w = _bands(w) if w is not None and of_w else [(None, 0)]
    for rows_w, places_w in bands_w:
        for rows_y, places_y in _bands(y) if of_y else [(None, 0)]:
            rows = rows_w if rows_y is None else rows_y if rows_w is None else rows_w & rows_y
            value = _product(_scaled(w, rows, places_w, of_w), _scaled(y, rows, places_y, of_y))
            of_rows = keys if keys is None or rows is None else keys[rows]
            part = exact_sums(value, of_rows, sums)
            summed.add_digits(part.shifted(places_w * of_w + places_y * of_y))
    return summed.digits()


def _bands(value: Vector) -> list[tuple[Mask | None, int]]:
    """Which rows are of which size, and by how many places they are scaled; None is all."""
    if _ordinary(value):
        return [(None, 0)]
    band = np.searchsorted(EDGES, value, side="right")
    return [(band == each, PLACES[each]) for each in np.unique(band).tolist()]


def _ordinary(value: Vector) -> bool:
    """Whether no factor is to be scaled."""
    return not len(value) or bool(
        np.max(value) < EDGES[2] and np.min(value, where=value > 0, initial=1) >= EDGES[1]
    )


def _scaled(value: Vector | None, rows: Mask | None, places: int, power: int) -> Vector | None:
    """value^power of the rows; None is 1."""
    if value is None or not power:
        return None
    chosen = value if rows is None else value[rows]
    chosen = np.ldexp(chosen, -BITS * places) if places else chosen
    return chosen if power == 1 else chosen * chosen if power == 2 else chosen * chosen * chosen  # noqa: PLR2004  the degree


def _product(left: Vector | None, right: Vector | None) -> Vector:
    if left is None or right is None:
        return right if left is None else left  # type: ignore[return-value]  # one of them is there
    return left * right
