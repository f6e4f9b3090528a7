r"""Where a loss comes from: miscalibration − discrimination + uncertainty, plus what varies within the groups.

Rows are grouped by predicted class and bin of the confidence. In group g, of weight W_g, the classes occur with the
shares ō_g and are forecast with the mean p̄_g; in all rows they occur with ō. With d the divergence of the loss:

* uncertainty: the loss of ō as a forecast; nobody can be blamed for it;
* discrimination Σ_g W_g d(ō_g, ō) / W: what telling the groups apart is worth;
* miscalibration Σ_g W_g d(ō_g, p̄_g) / W: what the groups' forecasts miss their frequencies by;
* within_bin: the loss of the forecasts themselves less that of their groups' means.

loss = miscalibration − discrimination + uncertainty + within_bin, within rounding: the first three make the loss of the
means p̄_g. All but ``within_bin`` are ≥ 0, and computed by terms ≥ 0.

Source: Bröcker, "Reliability, sufficiency, and the decomposition of proper scores", Quarterly Journal of the Royal
Meteorological Society 135 (2009); Stephenson, Coelho, Jolliffe, "Two extra components in the Brier score
decomposition", Weather and Forecasting 23 (2008), for the part within.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lossmeter.engine.arrays import Matrix, Vector
from lossmeter.engine.evidence import FORECAST_CLASSES
from lossmeter.engine.metrics.base import Metric, Undefined, groups_of, once, rows_of
from lossmeter.engine.metrics.base_rate import entropy, impurity
from lossmeter.engine.metrics.bins import confidences, equal_width, places
from lossmeter.engine.numerics import log1p_minus, sums_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.evidence import Evidence, Groups, Rows

TOO_SMALL = "a class occurs in a group that gives it less probability than the sums over groups resolve"


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """Shares of the whole weight, by group and class.

    Attributes:
        observed: ``Float[g, classes]``, W_g ō_g / W.
        forecast: ``Float[g, classes]``, W_g p̄_g / W.
        group: ``Float[g, 1]``, W_g / W.
        base: ``Float[classes]``, ō.
    """

    observed: Matrix
    forecast: Matrix
    group: Matrix
    base: Vector


class Decomposition(Metric):
    """The four parts of a proper score."""

    binned: ClassVar[bool] = False  # the groups are of equal width, whatever the binning of the curve
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"within_bin": "loss and miscalibration are both infinite"}
    )

    def needs_rows(self, binning: str, classes: int) -> bool:
        """Of many classes the forecasts of the groups are not kept."""
        return classes > FORECAST_CLASSES or super().needs_rows(binning, classes)

    def of(self, evidence: Evidence) -> dict[str, float | Vector]:
        """The parts; they add up."""
        joint, loss = _joint(evidence), self.loss(evidence)
        miscalibration = self.divergence(joint, joint.forecast)
        if math.isinf(miscalibration) and math.isfinite(loss):
            raise Undefined(TOO_SMALL)
        within = loss - self.loss_of_means(joint)
        return {
            "miscalibration": miscalibration,
            "discrimination": self.divergence(joint, joint.group * joint.base),
            "uncertainty": self.uncertainty(joint.base),
            "within_bin": within if math.isfinite(miscalibration) else np.nan,
        }

    @abstractmethod
    def loss(self, evidence: Evidence) -> float:
        """The loss that is taken apart."""

    @abstractmethod
    def loss_of_means(self, joint: Joint) -> float:
        """The loss of the means p̄_g."""

    @abstractmethod
    def divergence(self, joint: Joint, forecast: Matrix) -> float:
        """Σ_g W_g d(ō_g, forecast_g) / W ≥ 0."""

    @abstractmethod
    def uncertainty(self, base: Vector) -> float:
        """The loss of the base rate."""


class LogLossDecomposition(Decomposition):
    """Of the log loss: d is KL, the uncertainty the entropy of the base rate; nats.

    Where a class occurs in a group that gives it probability 0 throughout, loss and miscalibration are infinite.
    """

    name: ClassVar[str] = "log_loss_decomposition"
    title: ClassVar[str] = "Log-loss decomposition"
    summary: ClassVar[str] = (
        "Log loss = miscalibration - discrimination + uncertainty + within_bin, over groups of rows that agree on "
        "predicted class and bin of the confidence."
    )
    formula: ClassVar[str] = (
        r"\sum_g \frac{W_g}{W} KL(\bar o_g \| \bar p_g) - \sum_g \frac{W_g}{W} KL(\bar o_g \| \bar o) + H(\bar o)"
    )
    reference: ClassVar[str] = (
        "Bröcker, Reliability, sufficiency, and the decomposition of proper scores, "
        "Quarterly Journal of the Royal Meteorological Society 135 (2009)"
    )

    def loss(self, evidence: Evidence) -> float:
        """The log loss."""
        return evidence.log_loss

    def loss_of_means(self, joint: Joint) -> float:
        """−Σ ō log p̄, plus what the forecasts exceed a sum of 1 by, which ``divergence`` counts as well."""
        seen = joint.observed > 0
        means = (joint.forecast / joint.group)[seen]
        excess = float((joint.forecast - joint.observed).sum())
        return float(-(joint.observed[seen] * np.log(means)).sum()) + excess

    def divergence(self, joint: Joint, forecast: Matrix) -> float:
        """Σ o log(o/f) − o + f, by terms ≥ 0; the last two cancel where the forecasts sum to 1."""
        seen = joint.observed > 0
        o, f = joint.observed[seen], forecast[seen]
        return float((o * log1p_minus((f - o) / o)).sum() + forecast[~seen].sum())

    def uncertainty(self, base: Vector) -> float:
        """Its entropy."""
        return entropy(base)


class BrierDecomposition(Decomposition):
    """Of the Brier score on its scale 0 … 2: d is the squared distance, the uncertainty Σ ō (1 − ō)."""

    name: ClassVar[str] = "brier_decomposition"
    title: ClassVar[str] = "Brier decomposition"
    summary: ClassVar[str] = (
        "Brier score = miscalibration - discrimination + uncertainty + within_bin, over groups of rows that agree on "
        "predicted class and bin of the confidence."
    )
    formula: ClassVar[str] = (
        r"\sum_g \frac{W_g}{W} \|\bar o_g - \bar p_g\|^2 - \sum_g \frac{W_g}{W} \|\bar o_g - \bar o\|^2"
        r" + \sum_c \bar o_c (1 - \bar o_c)"
    )
    reference: ClassVar[str] = LogLossDecomposition.reference

    def loss(self, evidence: Evidence) -> float:
        """The Brier score."""
        return evidence.brier

    def loss_of_means(self, joint: Joint) -> float:
        """Σ_g W_g (‖p̄_g‖² − 2 ō_g·p̄_g + 1) / W."""
        means = joint.forecast / joint.group
        return float(((joint.forecast - 2 * joint.observed) * means).sum() + joint.observed.sum())

    def divergence(self, joint: Joint, forecast: Matrix) -> float:
        """Σ_g ‖o_g − f_g‖² / share_g of shares of the whole."""
        return float(((joint.observed - forecast) ** 2 / joint.group).sum())

    def uncertainty(self, base: Vector) -> float:
        """Gini's impurity."""
        return impurity(base)


@once
def _joint(evidence: Evidence) -> Joint:
    groups = groups_of(evidence)
    if groups.forecast is None and evidence.rows is None:
        raise Undefined(
            f"of more than {FORECAST_CLASSES} classes it needs every row, and a state does not keep them"
        )
    observed, forecast = _kept(groups, evidence.classes) or _grouped(rows_of(evidence), evidence.bins)
    weighs = observed.sum(axis=1) > 0
    observed, forecast = observed[weighs], forecast[weighs]
    weight = observed.sum()
    observed, forecast = observed / weight, forecast / weight
    return Joint(observed, forecast, observed.sum(axis=1, keepdims=True), observed.sum(axis=0))


def _kept(groups: Groups, classes: int) -> tuple[Matrix, Matrix] | None:
    """Σ w by group and true class, and Σ w p by group, both ``Float[g, classes]``; None where they are not kept."""
    if groups.forecast is None:
        return None
    cells = groups.cell_group * classes + groups.cell_class
    size = len(groups.forecast) * classes
    return sums_by(cells, groups.cell_weight, size).reshape(-1, classes), groups.forecast


def _grouped(rows: Rows, bins: int) -> tuple[Matrix, Matrix]:
    """The same of the rows themselves."""
    classes = rows.probabilities.shape[1]
    group = rows.predicted * bins + places(confidences(rows), equal_width(bins))
    order = np.argsort(group, kind="stable")
    _, first, which = np.unique(group[order], return_index=True, return_inverse=True)
    p, weights = rows.probabilities[order], None if rows.weights is None else rows.weights[order]
    if weights is not None:
        p *= weights[:, None]
    cells = sums_by(which * classes + rows.targets[order], weights, len(first) * classes)
    return cells.reshape(-1, classes), np.add.reduceat(p, first, axis=0)
