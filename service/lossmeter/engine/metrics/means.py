"""Means of one-vs-rest numbers over the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Vector


def one_vs_rest(of_class: Vector, weight: Vector) -> dict[str, float | Vector]:
    """The numbers, their plain mean and their mean by weight, over the classes that have one; NaN where none has.

    Args:
        of_class: ``Float[classes]``, NaN where undefined.
        weight: ``Float[classes]``, of the true classes; not 0 where a number is.
    """
    defined = ~np.isnan(of_class)
    numbers, weights = of_class[defined], weight[defined]
    known = len(numbers) > 0
    return {
        "ovr_macro": float(numbers.mean()) if known else np.nan,
        "ovr_weighted": float((numbers * weights).sum() / weights.sum()) if known else np.nan,
        "per_class": of_class,
    }
