"""Weights as a request gives them: numbers, or a scheme that computes them from the truth of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np

from lossmeter.engine.arrays import floats, offenders
from lossmeter.engine.class_weights import Scheme, check_scheme, weights_of_counts
from lossmeter.engine.options import check_word
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Vector

WantedWeights: TypeAlias = "ArrayLike | str | Mapping[str, Any] | None"
"""``Float[classes]``, the name of a scheme, or ``{"scheme", "beta", "absent"}``."""


def sample_weights(wanted: ArrayLike | None, n: int, dtype: np.dtype[Any]) -> Vector | None:
    """``Float[n]`` ≥ 0; None where every row weighs 1.

    Raises:
        InvalidInputError: another shape, or a weight that is negative or not finite.
    """
    return None if wanted is None else _nonnegative(wanted, "sample_weights", n, "row", dtype)


def class_weights(
    wanted: WantedWeights, classes: int, dtype: np.dtype[Any], counts: Callable[[], Vector]
) -> Vector | None:
    """``Float[classes]``; None where every class weighs 1.

    Args:
        wanted: what the request says.
        classes: how many there are.
        dtype: of the answer.
        counts: gives the examples of each class in this batch, for a scheme.

    Raises:
        InvalidInputError: another shape, a weight that is negative or not finite, an unknown scheme, or a class without
            examples.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        check_word("class_weights", wanted, get_args(Scheme))
        wanted = {"scheme": wanted}
    if isinstance(wanted, Mapping):
        return _by_scheme(dict(wanted), counts(), dtype)
    return _nonnegative(wanted, "class_weights", classes, "class", dtype)


def _by_scheme(said: dict[str, Any], counts: Vector, dtype: np.dtype[Any]) -> Vector:
    options: dict[str, Any] = {"scheme": "balanced", "beta": 0.999, "absent": "error"}
    for key in said:
        check_word("class_weights", key, tuple(options))
    options |= said
    options["beta"] = check_scheme(options["scheme"], options["beta"], options["absent"], "class_weights")
    return weights_of_counts(counts, **options, blamed="targets", dtype=dtype).class_weights


def _nonnegative(value: ArrayLike, name: str, length: int, each: str, dtype: np.dtype[Any]) -> Vector:
    weights = floats(value, name, ranks=(1,))
    if len(weights) != length:
        detail = f"one weight per {each} is wanted: {length} of them, not {len(weights)}"
        raise InvalidInputError.at(name, detail=detail)
    with np.errstate(over="ignore"):
        computed = weights.astype(dtype, copy=False) + 0.0
    wrong = ~((weights >= 0) & np.isfinite(computed))
    if wrong.any():
        raise offenders(wrong, weights, name, detail="a finite number >= 0 is wanted")
    return computed
