"""Loops over the rows of a block, compiled by Numba: what costs NumPy many passes over the cache is one here.

Every exponential is Cody and Waite's reduction and a polynomial, so that the compiler can work on many at a time; sums
run in any order within a piece of a row and exactly between the pieces. The numbers of a row depend on that row alone.

Bounds in units of the dtype: exponentials 1.1, sums of terms of one sign 6, at any number of classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 128
"""So many terms are added in any order: four to each of the accumulators that the compiler keeps, then those."""

FEW = 8
"""Up to so many terms are added one by one."""

TO_BINARY = 1 / math.log(2)
LOG_2_UPPER = float.fromhex("0x1.62e42fefa39efp-1")
LOG_2_LOWER = float.fromhex("0x1.abc9e3b39803fp-56")
ROUND = 1.5 * 2.0**52
"""Added and subtracted again, it rounds a float64 below 2⁵¹ to a whole number."""

F = np.float32
LOG_2_UPPER32, LOG_2_LOWER32 = F(-0.693359375), F(2.12194440e-4)
ROUND32 = F(1.5 * 2.0**23)

EXPONENT = 0x7FF0_0000_0000_0000
"""The bits of a float64 that hold its exponent: alone, they are the power of two below it."""
LARGEST_POWER = 0x7FE0_0000_0000_0000

FORECAST_GRID, FORECAST_ROWS = 6.0, 1 << 12
"""Added to a probability, it leaves it in the last bits in units of 2^−50; so many add up in an integer."""

C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1 / math.factorial(order) for order in range(2, 14))

LOOP: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


@intrinsic
def _double_of_bits(typing_context: Any, bits: Any) -> Any:  # noqa: ANN401, ARG001  Numba's types of types
    """The float64 with these 64 bits."""
    return types.float64(types.int64), lambda _, builder, __, given: builder.bitcast(
        given[0], ir.DoubleType()
    )


@intrinsic
def _bits_of_double(typing_context: Any, number: Any) -> Any:  # noqa: ANN401, ARG001
    """The 64 bits of a float64."""
    return types.int64(types.float64), lambda _, builder, __, given: builder.bitcast(given[0], ir.IntType(64))


@intrinsic
def _fma(typing_context: Any, left: Any, right: Any, added: Any) -> Any:  # noqa: ANN401, ARG001
    """``left`` · ``right`` + ``added``, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)
    return signature, lambda _, builder, __, given: builder.fma(*given)


@intrinsic
def _single_of_bits(typing_context: Any, bits: Any) -> Any:  # noqa: ANN401, ARG001
    """The float32 whose bits are the lower 32 of these."""

    def convert(_: Any, builder: Any, __: Any, given: Any) -> Any:  # noqa: ANN401
        return builder.bitcast(builder.trunc(given[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.int64), convert


@intrinsic
def _fma32(typing_context: Any, left: Any, right: Any, added: Any) -> Any:  # noqa: ANN401, ARG001
    """``left`` · ``right`` + ``added`` in float32, rounded once."""
    signature = types.float32(types.float32, types.float32, types.float32)
    return signature, lambda _, builder, __, given: builder.fma(*given)


@intrinsic
def _plus(typing_context: Any, total: Any, term: Any) -> Any:  # noqa: ANN401, ARG001
    """``total`` + ``term``, where the compiler may add the terms of a loop in any order."""
    signature = types.float64(types.float64, types.float64)
    return signature, lambda _, builder, __, given: builder.fadd(*given, flags=("reassoc",))


@njit(inline="always")
def _exp(x: float) -> float:
    """e^x; 0 and ∞ where that is what a double can hold, NaN for NaN."""
    x = min(max(x, -746.0), 710.0)
    shifted = _fma(x, TO_BINARY, ROUND)
    whole = shifted - ROUND
    upper = _fma(whole, -LOG_2_UPPER, x)
    lower = whole * -LOG_2_LOWER
    rest = upper + lower
    lost = (upper - rest) + lower
    tail = _fma(_fma(_fma(_fma(C13, rest, C12), rest, C11), rest, C10), rest, C9)
    tail = _fma(_fma(_fma(_fma(tail, rest, C8), rest, C7), rest, C6), rest, C5)
    tail = _fma(_fma(_fma(tail, rest, C4), rest, C3), rest, C2)
    power = (_fma(tail * rest, rest, lost) + rest) + 1.0
    exponent = np.int64(whole)
    half = exponent >> 1  # in two steps: a subnormal result has no power of two of its own
    return power * _double_of_bits((half + 1023) << 52) * _double_of_bits((exponent - half + 1023) << 52)


@njit(inline="always")
def _exp32(x: Any) -> Any:  # noqa: ANN401  a float32
    """e^x of a float32 in float32; 0 and ∞ where that is what it can hold, NaN for NaN."""
    x = min(max(x, F(-104.0)), F(89.0))
    whole = _fma32(x, F(TO_BINARY), ROUND32) - ROUND32
    rest = _fma32(whole, LOG_2_LOWER32, _fma32(whole, LOG_2_UPPER32, x))
    tail = _fma32(_fma32(_fma32(F(C7), rest, F(C6)), rest, F(C5)), rest, F(C4))
    tail = _fma32(_fma32(tail, rest, F(C3)), rest, F(C2))
    power = (tail * rest) * rest + rest + F(1.0)
    exponent = np.int32(whole)
    half = exponent >> 1
    return power * _single_of_bits((half + 127) << 23) * _single_of_bits((exponent - half + 127) << 23)


@njit(inline="always")
def _sum(row: NDArray[Any]) -> float:
    """Σ of one row."""
    if row.shape[0] <= PIECE:
        return _sum_of_piece(row)
    total, lost = 0.0, 0.0
    for piece in range((row.shape[0] + PIECE - 1) // PIECE):
        part = _sum_of_piece(row[piece * PIECE : min(piece * PIECE + PIECE, row.shape[0])])
        after = total + part
        virtual = after - total
        lost += (total - (after - virtual)) + (part - virtual)
        total = after
    return total + lost


@njit(inline="always")
def _sum_of_piece(terms: NDArray[Any]) -> float:
    total = 0.0
    for place in range(terms.shape[0]):
        total = _plus(total, terms[place])
    return total


@njit(inline="always")
def _closing(row: NDArray[Any], size: float) -> float:
    """Minus the sum of a row whose |terms| sum to ``size`` within a factor of 2, at most 1 unit from the exact one.

    Split at a power of two above the sum of all, the upper parts of a float64 add without rounding in any order (Rump's
    ExtractVector), and the lower ones are too small for their rounding to matter.
    """
    if row.shape[0] <= 2:  # noqa: PLR2004  one of the two is what is closed, and 0 now
        return 0.0 - (np.float64(row[0]) + np.float64(row[row.shape[0] - 1]))
    split = _double_of_bits(min((_bits_of_double(size) & EXPONENT) + (3 << 52), LARGEST_POWER))
    upper, lower = 0.0, 0.0
    for place in range(row.shape[0]):
        term = np.float64(row[place])
        part = (term + split) - split
        upper = _plus(upper, part)
        lower = _plus(lower, term - part)
    return 0.0 - (upper + lower)


@njit(**LOOP)
def hold_apart(
    sent: NDArray[Any], classes: NDArray[Any], masses: NDArray[Any], mass: NDArray[Any], others: NDArray[Any]
) -> None:
    """e^x of every row, with the given class held apart.

    Args:
        sent: ``Float[rows, classes]``, x, C-contiguous as all of these.
        classes: ``Int[rows]``.
        masses: ``Float64[rows, classes]``, written: e^x, 0 at the class held apart.
        mass: ``Float64[rows]``, written: e^x of that class.
        others: ``Float64[rows]``, written: Σ of the rest.
    """
    logits, flat = sent.reshape(-1), masses.reshape(-1)
    for place in range(logits.shape[0]):
        flat[place] = _exp(np.float64(logits[place]))
    for row in range(sent.shape[0]):
        mass[row] = masses[row, classes[row]]
        masses[row, classes[row]] = 0.0
        others[row] = _sum(masses[row])


@njit(**LOOP)
def hold_apart32(
    sent: NDArray[Any], classes: NDArray[Any], masses: NDArray[Any], mass: NDArray[Any], others: NDArray[Any]
) -> None:
    """The same for float32 logits with float32 masses; the class held apart is exponentiated in float64."""
    logits, flat = sent.reshape(-1), masses.reshape(-1)
    for place in range(logits.shape[0]):
        flat[place] = _exp32(logits[place])
    for row in range(sent.shape[0]):
        mass[row] = _exp(np.float64(sent[row, classes[row]]))
        masses[row, classes[row]] = 0.0
        others[row] = _sum(masses[row])


@njit(**LOOP)
def write_closed(
    masses: NDArray[Any], factor: NDArray[Any], size: NDArray[Any], classes: NDArray[Any], out: NDArray[Any]
) -> None:
    """``factor`` · masses, and at the class held apart what makes the row sum to 0.

    Args:
        masses: ``Float64[rows, classes]``, 0 at the class held apart.
        factor: ``Float64[rows]``.
        size: ``Float64[rows]``, Σ |what is written for the others| within a factor of 2.
        classes: ``Int[rows]``, those held apart.
        out: ``Float[rows, classes]``, written.
    """
    for row in range(masses.shape[0]):
        terms, written, by = masses[row], out[row], factor[row]
        for place in range(terms.shape[0]):
            written[place] = terms[place] * by + 0.0
        written[classes[row]] = 0.0
        written[classes[row]] = _closing(written, size[row])


@njit(**LOOP)
def weigh_distances(
    sent: NDArray[Any], shares: NDArray[Any], best: NDArray[Any], distance: NDArray[Any], shared: NDArray[Any]
) -> None:
    """How far below the best logit the truth lies.

    Args:
        sent: ``Float[rows, classes]``, x.
        shares: ``Float[rows, classes]``, t.
        best: ``Int[rows]``, where x is largest.
        distance: ``Float64[rows]``, written: Σ_c t_c (max x − x_c).
        shared: ``Float64[rows]``, written: Σ_c t_c.
    """
    terms = np.empty(sent.shape[1])
    for row in range(sent.shape[0]):
        top = np.float64(sent[row, best[row]])
        if terms.shape[0] <= FEW:
            distance[row], shared[row] = 0.0, 0.0
            for place in range(terms.shape[0]):
                distance[row] += (top - sent[row, place]) * shares[row, place]
                shared[row] += shares[row, place]
            continue
        logits, truth = sent[row], shares[row]
        for place in range(terms.shape[0]):
            terms[place] = (top - logits[place]) * truth[place]
        distance[row] = _sum(terms)
        shared[row] = _sum(truth)


@njit(**LOOP)
def find_best(sent: NDArray[Any], best: NDArray[Any]) -> None:
    """Where each of many short rows is largest.

    Args:
        sent: ``Float[rows, classes]``.
        best: ``Int[rows]``, written: the first of the largest.
    """
    for row in range(sent.shape[0]):
        at, top = 0, sent[row, 0]
        for place in range(1, sent.shape[1]):
            if sent[row, place] > top:
                at, top = place, sent[row, place]
        best[row] = at


@njit(**LOOP)
def write_shared(  # noqa: PLR0913, PLR0917  a loop over arrays
    masses: NDArray[Any],
    shares: NDArray[Any],
    of_mass: NDArray[Any],
    shared: NDArray[Any],
    heaviest: NDArray[Any],
    factor: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """``factor`` · (p_j Σt − t_j), rows that sum to 0; what rounding leaves over is shared out as p is.

    Args:
        masses: ``Float64[rows, classes]``, e^x; overwritten.
        shares: ``Float[rows, classes]``, t.
        of_mass: ``Float64[rows]``, Σt over the sum of the masses.
        shared: ``Float64[rows]``, Σt.
        heaviest: ``Int[rows]``, the class on which the last of the rounding falls.
        factor: ``Float64[rows]``.
        out: ``Float[rows, classes]``, written.
    """
    difference = np.empty(masses.shape[1])
    for row in range(masses.shape[0]):
        p, truth, written = masses[row], shares[row], out[row]
        for place in range(difference.shape[0]):
            p[place] *= of_mass[row]
            difference[place] = p[place] - truth[place]
        left = _sum(difference) / (shared[row] if shared[row] > 0 else 1.0)
        size = 0.0
        for place in range(difference.shape[0]):
            term = (difference[place] - p[place] * left) * factor[row] + 0.0
            written[place] = term
            size = _plus(size, abs(term))
        at = heaviest[row]
        size -= abs(np.float64(written[at]))
        written[at] = 0.0
        written[at] = _closing(written, size)


@njit(**LOOP)
def look_at(truth: NDArray[Any], sums: NDArray[Any], least: NDArray[Any], most: NDArray[Any]) -> None:
    """What tells distributions from other rows.

    Args:
        truth: ``Float[rows, classes]``.
        sums: ``Float64[rows]``, written: Σ_c t_c.
        least: ``Float64[rows]``, written: min t_c; NaN where there is one.
        most: ``Float64[rows]``, written: max t_c.
    """
    for row in range(truth.shape[0]):
        shares = truth[row]
        sums[row] = _sum(shares)
        low, high = np.inf, -np.inf
        for place in range(shares.shape[0]):
            low, high = min(low, np.float64(shares[place])), max(high, np.float64(shares[place]))
        least[row], most[row] = low, high


@njit(inline="always", fastmath={"nnan", "nsz"})
def _first_largest(values: NDArray[Any]) -> int:
    top = values[0]
    for place in range(1, values.shape[0]):
        top = max(top, values[place])
    best = 0
    while best < values.shape[0] - 1 and values[best] != top:
        best += 1
    return best


@njit(inline="always")
def _count_before(values: NDArray[Any], target: int) -> int:
    """How many are larger than the target's, or equal to it and before it."""
    own, larger = values[target], np.int32(0)
    for place in range(values.shape[0]):
        larger += np.int32(values[place] > own)
    for place in range(target):
        larger += np.int32(values[place] == own)
    return int(larger)


@njit(**LOOP)
def see_rows(  # noqa: PLR0913, PLR0917  a loop over arrays
    p: NDArray[Any],
    inverse: NDArray[Any],
    sent: NDArray[Any],
    targets: NDArray[Any],
    p_target: NDArray[Any],
    counted: NDArray[Any],
    k: int,
    squares: NDArray[Any],
    predicted: NDArray[Any],
    confidence: NDArray[Any],
    hit: NDArray[Any],
    forecast: NDArray[Any],
) -> None:
    """What is noted of rows with a single true class.

    Args:
        p: ``Float64[rows, classes]``, what probabilities are proportional to but for the target; overwritten by them.
        inverse: ``Float64[rows]``, what they are multiplied by.
        sent: ``Float[rows, classes]``, in which larger is more probable.
        targets: ``Int[rows]``.
        p_target: ``Float64[rows]``, the probability of the target.
        counted: ``Bool[rows]``, which enter the forecast.
        k: how many classes may come before a hit is none.
        squares: ``Float64[rows]``, written: Σ p² of the classes but the target.
        predicted: ``Int[rows]``, written: the first class with the largest value.
        confidence: ``Float64[rows]``, written: its probability.
        hit: ``Bool[rows]``, written: whether fewer than k classes come before the target.
        forecast: ``Int64[⌈rows / 2¹²⌉, classes]``, added to: p in units of 2^−50, of so many rows at a time.
    """
    zero = _bits_of_double(FORECAST_GRID)
    for row in range(p.shape[0]):
        target, by, part, total = targets[row], inverse[row], p[row], 0.0
        before = _count_before(sent[row], target)
        hit[row] = before < k
        sums = forecast[row // FORECAST_ROWS]
        best = target if before == 0 else _first_largest(sent[row])
        part[target] = 0.0
        if counted[row]:
            for place in range(part.shape[0]):
                share = part[place] * by
                part[place] = share
                total = _plus(total, share * share)
                sums[place] += _bits_of_double(share + FORECAST_GRID) - zero
            sums[target] += _bits_of_double(p_target[row] + FORECAST_GRID) - zero
        else:
            for place in range(part.shape[0]):
                part[place] *= by
                total = _plus(total, part[place] * part[place])
        part[target] = p_target[row]
        squares[row], predicted[row], confidence[row] = total, best, min(part[best], 1.0)


@njit(**LOOP)
def add_groups(p: NDArray[Any], groups: NDArray[Any], counted: NDArray[Any], sums: NDArray[Any]) -> None:
    """Add p in units of 2^−50 by group and class.

    Args:
        p: ``Float64[rows, classes]``, C-contiguous.
        groups: ``Int[rows]``.
        counted: ``Bool[rows]``, which are added.
        sums: ``Int64[⌈rows / 2¹²⌉, groups · classes]``, added to, of so many rows at a time.
    """
    classes = p.shape[1]
    zero = _bits_of_double(FORECAST_GRID)
    for row in range(p.shape[0]):
        if counted[row]:
            for place in range(classes):
                at = groups[row] * classes + place
                sums[row // FORECAST_ROWS, at] += _bits_of_double(p[row, place] + FORECAST_GRID) - zero


@njit(**LOOP)
def add_exactly(values: NDArray[Any], keys: NDArray[Any], planes: NDArray[Any], low: int) -> None:
    """Add doubles ≥ 0 to sums in base 2^32, digit by digit, without carrying.

    Args:
        values: ``Float64[n]``, finite, n ≤ 2³⁰.
        keys: ``Int[n]``, the sum that each belongs to; of length 0 where there is but one.
        planes: ``Int64[places, sums]``, added to.
        low: the place of the first plane.
    """
    for row in range(values.shape[0]):
        bits = _bits_of_double(values[row])
        power = (bits >> 52) & 0x7FF
        whole = bits & 0xF_FFFF_FFFF_FFFF
        if power:
            whole |= 1 << 52
        else:
            power = 1
        exponent = power - 1075
        place, shift = exponent >> 5, exponent & 31
        lower, upper = (whole & 0xFFFF_FFFF) << shift, (whole >> 32) << shift
        key = keys[row] if keys.shape[0] else 0
        planes[place - low, key] += lower & 0xFFFF_FFFF
        planes[place - low + 1, key] += (lower >> 32) + (upper & 0xFFFF_FFFF)
        planes[place - low + 2, key] += upper >> 32
