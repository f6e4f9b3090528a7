"""What metrics are computed from: sums over the rows of a batch, or of a state made of many batches.

A row i of probabilities p_i has a truth t_i (a distribution), the weight w_i = v_i Σ_c w_c t_ic, the predicted class
argmax_c p_ic (the first of equals, among the values as sent) and the confidence max_c p_ic. Rows that are ignored are
counted and nothing more. Of Float[n] input there are two classes, p = [1 − p₁, p₁].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from lossmeter.engine.arrays import Indices, Matrix, Vector
from lossmeter.engine.ranking import Ranking, ranking

FORECAST_CLASSES = 10
"""Up to so many classes ``Groups`` keep their forecasts."""

Binning: TypeAlias = Literal["equal_width", "equal_mass"]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows that agree on the predicted class and on the bin of their confidence, summed; sorted by (class, bin).

    Bin k of ``bins`` is (k/bins, (k+1)/bins], the first one closed at 0: a confidence of exactly 1 lies in the last.

    Attributes:
        predicted: ``Int[g]``, the predicted class.
        bin: ``Int[g]``, 0 … bins − 1.
        count: ``Float[g]``, rows.
        weight: ``Float[g]``, Σ w.
        confidence: ``Float[g]``, Σ w · confidence.
        forecast: ``Float[g, classes]``, Σ w p; None where it is not kept.
        cell_group: ``Int[cells]``, the group of a cell; cells are the true classes that occur in a group, sorted.
        cell_class: ``Int[cells]``, the true class of a cell.
        cell_weight: ``Float[cells]``, Σ w of the group's rows whose truth is that class.
    """

    predicted: Indices
    bin: Indices
    count: Vector
    weight: Vector
    confidence: Vector
    forecast: Matrix | None
    cell_group: Indices
    cell_class: Indices
    cell_weight: Vector


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows themselves, for metrics that do not add up; ignored rows are left out.

    Attributes:
        probabilities: ``Float64[n, classes]``.
        targets: ``Int[n]``, the true classes.
        weights: ``Float64[n]``, w; None where all weigh 1.
        predicted: ``Int[n]``, the predicted classes: the probabilities may have rounded away what set them apart.
    """

    probabilities: Matrix
    targets: Indices
    weights: Vector | None
    predicted: Indices

    @cached_property
    def ranking(self) -> Ranking:
        """What the sorted columns say, sorted when first asked for."""
        return ranking(self.probabilities, self.targets, self.weights)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums over the rows of a batch or of a state; every mean is over the weight.

    Attributes:
        classes: how many there are.
        bins: of the confidence, equally wide.
        k: of ``top_k``.
        count: rows that are not ignored.
        ignored: rows that are.
        weight: Σ w; with 0 the means are 0.
        soft: whether the truth of some row is shared among classes, so that metrics of true classes are undefined.
        log_loss: Σ w H(t, p) / Σ w in nats; infinite if a truth of positive weight got probability 0.
        infinite: rows of positive weight whose log loss is infinite.
        brier: Σ w Σ_c (p_c − t_c)² / Σ w, in 0 … 2.
        truth: ``Float[classes]``, Σ w t_c.
        forecast: ``Float[classes]``, Σ w p_c.
        loss_of_class: ``Float[classes]``, Σ w t_c (−log p_c): the log loss by true class; adds up to its sum.
        top_k: Σ w of the rows whose true class is among the k most probable, where its rank is the number of classes
            with a larger value, or an equal one and a lower index.
        groups: the rows by predicted class and confidence; None when ``soft``.
        rows: the rows themselves; None when this is of a state, which does not keep them.
        truth_squares: Σ w Σ_c t_c² / Σ w; 1 unless ``soft``.
        binning: how metrics of confidence cut their bins; ``groups`` are of equal width in any case.
    """

    classes: int
    bins: int
    k: int
    count: int
    ignored: int
    weight: float
    soft: bool
    log_loss: float
    infinite: int
    brier: float
    truth: Vector
    forecast: Vector
    loss_of_class: Vector
    top_k: float
    groups: Groups | None
    rows: Rows | None
    truth_squares: float = 1.0
    binning: Binning = "equal_width"
