"""Rows by true and by predicted class: what every metric of decisions is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lossmeter.engine.arrays import Vector
from lossmeter.engine.metrics.base import groups_of, once
from lossmeter.engine.numerics import sums_by

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """Weights by class. All three are sums of the same cells in the same order, so hits never exceed either margin.

    Attributes:
        truth: ``Float[classes]``, Σ w of the rows of each class.
        predicted: ``Float[classes]``, Σ w of the rows predicted to be of each class.
        hits: ``Float[classes]``, Σ w of the rows where both agree.
    """

    truth: Vector
    predicted: Vector
    hits: Vector


@once
def tallies(evidence: Evidence) -> Tallies:
    """The margins and the diagonal of the confusion matrix; the matrix itself may be too large to be made.

    Raises:
        Undefined: the truth is soft.
    """
    groups = groups_of(evidence)
    predicted = groups.predicted[groups.cell_group]
    hit = predicted == groups.cell_class
    return Tallies(
        truth=sums_by(groups.cell_class, groups.cell_weight, evidence.classes),
        predicted=sums_by(predicted, groups.cell_weight, evidence.classes),
        hits=sums_by(predicted[hit], groups.cell_weight[hit], evidence.classes),
    )
