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
    present = np.flatnonzero(weight).tolist()
    pairs = 0.0
    for c in present:
        beaten, precision[c] = _column(
            np.ascontiguousarray(probabilities[:, c]), targets, weights, c, classes
        )
        if len(present) > 1:
            others = [b for b in present if b != c]
            auc[c] = min(1.0, beaten[others].sum() / (weight[c] * weight[others].sum()))
            pairs += float(np.minimum(1.0, beaten[others] / (weight[c] * weight[others])).sum())
    ordered = len(present) * (len(present) - 1)
    return Ranking(weight, auc, precision, pairs / ordered if ordered else float("nan"))


def _column(
    values: Vector, targets: Indices, weights: Vector | None, c: int, classes: int
) -> tuple[Vector, float]:
    """One class: for each class b, Σ w w' over the rows of b and of c of which that of c is higher; and its AP.

    Pairs that tie count half. The sums of unweighted rows are whole or half numbers, and exact.
    """
    order = np.argsort(values)[::-1]
    values, truth = values[order], targets[order]
    cuts = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    own = truth == c
    if weights is None:
        positives = np.cumsum(own)[cuts].astype(np.float64)
        total = cuts + 1.0
        sorted_weights = None
    else:
        sorted_weights = weights[order]
        positives = np.cumsum(np.where(own, sorted_weights, 0.0))[cuts]
        total = positives + np.cumsum(np.where(own, 0.0, sorted_weights))[cuts]
    gained = np.diff(positives, prepend=0.0)
    above = np.repeat(positives - gained / 2, np.diff(cuts, prepend=-1))
    if sorted_weights is not None:
        above *= sorted_weights
    precision = float(np.dot(gained, positives / total) / positives[-1])
    return sums_by(truth, above, classes), min(1.0, precision)
