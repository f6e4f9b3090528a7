"""How well each class's probability ranks its own rows above the others: one sort of every column.

A column sorted from high to low is cut where its value changes. Down to each cut, TP is the weight of the rows of the
class and FP that of the others; ROC AUC and average precision are sums over these cuts, so ties need no other rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Vector
from lossmeter.engine.numerics import sums_by

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Matrix

TWO = 2
"""Classes of which one's probability is what the other's is short of 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What the sorted columns say.

    Attributes:
        weight: ``Float[classes]``, Σ w of the rows of each class.
        auc: ``Float[classes]``, one-vs-rest area under the ROC curve: the probability that a row of the class has a
            higher value than one of the others, ties half. NaN without rows of both kinds.
        average_precision: ``Float[classes]``, Σ (R_k − R_{k−1}) P_k over the cuts. NaN without rows of the class.
        one_vs_one: the mean over ordered pairs of classes (a, b) of the area by p_a among their rows alone; NaN with
            fewer than two classes.
    """

    weight: Vector
    auc: Vector
    average_precision: Vector
    one_vs_one: float


def ranking(probabilities: Matrix, targets: Indices, weights: Vector | None) -> Ranking:
    """Rank every class that occurs.

    Args:
        probabilities: ``Float[n, classes]``.
        targets: ``Int[n]``.
        weights: ``Float[n]``; None for 1 each. Rows of weight 0 are left out.

    Source: Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006); Hand, Till, "A simple
    generalisation of the area under the ROC curve for multiple class problems", Machine Learning 45 (2001).
    """
    if weights is not None and not weights.all():
        counted = np.flatnonzero(weights)
        probabilities, targets, weights = probabilities[counted], targets[counted], weights[counted]
    classes = probabilities.shape[1]
    weight = sums_by(targets, weights, classes)
    auc, precision = np.full(classes, np.nan), np.full(classes, np.nan)
    present = np.flatnonzero(weight)
    pairs, order = 0.0, None
    for c in present.tolist():
        values = np.ascontiguousarray(probabilities[:, c])
        order = _descending(values, order if classes == TWO else None)
        beaten, precision[c] = _column(values, order, targets, weights, c=c, classes=classes)
        others = present[present != c]
        if len(others) > 0:
            auc[c] = min(1.0, beaten[others].sum() / weight[others].sum())
            pairs += float(np.minimum(1.0, beaten[others] / weight[others]).sum())
    ordered = len(present) * (len(present) - 1)
    return Ranking(weight, auc, precision, pairs / ordered if ordered else float("nan"))


def _descending(values: Vector, opposite: Indices | None) -> Indices:
    """The order of the values from high to low.

    Of two classes the second column is the first one upside down, but for rounding and ties: its order is guessed,
    and the stable sort has next to nothing to do.
    """
    if opposite is None:
        return np.argsort(values)[::-1]
    guess = opposite[::-1]
    return guess[np.argsort(-values[guess], kind="stable")]


def _column(  # noqa: PLR0913  a column, and what its rows are
    values: Vector, order: Indices, targets: Indices, weights: Vector | None, *, c: int, classes: int
) -> tuple[Vector, float]:
    """For each class b, Σ w of its rows, each times the share of class c above it; and the average precision of c.

    Rows of c that tie count half. Weights are divided by before they are multiplied by: a product might be beyond the
    doubles. Unweighted rows are counted, in whole and half numbers, and divided at the end.
    """
    values, truth = values[order], targets[order]
    cuts = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    own = truth == c
    if weights is None:
        positives = np.cumsum(own)[cuts].astype(np.float64)
        precision = positives / (cuts + 1)
    else:
        weights = weights[order]
        positives = np.cumsum(np.where(own, weights, 0.0))[cuts]
        precision = positives / (positives + np.cumsum(np.where(own, 0.0, weights))[cuts])
    gained, whole = np.diff(positives, prepend=0.0), positives[-1]
    above = positives - gained / 2
    average = min(1.0, float(np.dot(gained / whole, precision)))
    sizes = np.diff(cuts, prepend=-1)
    if weights is None:
        return sums_by(truth, np.repeat(above, sizes), classes) / whole, average
    return sums_by(truth, np.repeat(above / whole, sizes) * weights, classes), average
