"""What every scoring of a batch needs, whatever its loss: outputs, weights, and rows that count nowhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lossmeter.engine.arrays import Matrix, Vector
from lossmeter.engine.numerics import finite_product
from lossmeter.engine.outcome import Outcome

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Indices, Mask
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.options import Options
    from lossmeter.engine.predictions.base import AtTargets, Chosen


class Watcher(Protocol):
    """Sees every block of a batch while it is in the cache."""

    def see_targets(self, rows: Chosen, targets: Indices, view: AtTargets) -> None:
        """Rows that were scored at their single true class."""

    def see_rows(self, rows: Chosen, losses: Vector) -> None:
        """Rows that were scored in another way, and the weighted losses of the batch so far, nats."""

    def scored(self, losses: Vector) -> None:
        """The weighted losses of all rows, nats, which are not to be kept: they may change their unit."""


@dataclass(slots=True)
class Output:
    """The arrays of an answer, filled block by block; None is a part that nobody asked for.

    Everything is in nats but the gradients, whose scale is final. The watcher sees all that is scored.
    """

    losses: Vector
    gradients: Matrix | None
    target_entropy: Vector | None
    kl_divergence: Vector | None
    contributions: Matrix | None
    probabilities: Matrix | None
    watcher: Watcher | None = None

    @classmethod
    def empty(cls, shape: tuple[int, int], dtype: np.dtype[Any], options: Options) -> Output:
        """Room for what ``options.include`` names."""

        def matrix(part: str) -> Matrix | None:
            return np.empty(shape, dtype) if part in options.include else None

        def vector() -> Vector | None:
            return np.zeros(shape[0], dtype) if "kl" in options.include else None

        losses = np.empty(shape[0], dtype)
        return cls(
            losses, matrix("gradients"), vector(), vector(), matrix("contributions"), matrix("probabilities")
        )


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What rows and classes weigh.

    Attributes:
        of_samples: ``Float[n]``, v: 0 where a row is ignored; None where all weigh 1.
        of_classes: ``Float[classes]``, w; None where all weigh 1.
        of_rows: ``Float64[n]``, v Σ_c w_c t_c: what a row adds to the denominator; None where all add 1.
    """

    of_samples: Vector | None
    of_classes: Vector | None
    of_rows: Vector | None

    def samples(self, rows: Chosen, *, columns: bool = False) -> Floats | None:
        """Sample weights of some rows, as a column for a matrix if wanted; None where all are 1."""
        if self.of_samples is None:
            return None
        return self.of_samples[rows][:, None] if columns else self.of_samples[rows]


class Batch(ABC):
    """A batch that can be scored block by block, from several threads.

    Attributes:
        shape: (n, classes), or (n, labels).
        dtype: of the answer.
        ignored: ``Bool[n]``, rows that count nowhere; None where there are none.
        count: rows that are not ignored.
        matrices: how many matrices of a block the scoring keeps at a time.
    """

    weights: Weights
    matrices: float = 4

    def __init__(self, values: Matrix, ignored: Mask | None) -> None:
        self.shape: tuple[int, int] = values.shape
        self.dtype: np.dtype[Any] = values.dtype
        self.ignored = ignored
        self.count = self.shape[0] - (0 if ignored is None else int(np.count_nonzero(ignored)))

    @abstractmethod
    def score(self, rows: Rows, scale: float, output: Output) -> None:
        """Fill the rows of ``output``; gradients of Σ_i losses_i are multiplied by ``scale``."""

    @abstractmethod
    def by_class(self, weighted: Vector) -> Vector:
        """``weighted`` (a number per row) shared out over the true classes."""

    def counted(self, rows: Chosen, values: Floats) -> Floats:
        """Values of some rows, 0 in those that are ignored."""
        if self.ignored is None:
            return values
        ignored = self.ignored[rows]
        return np.where(ignored if values.ndim == 1 else ignored[:, None], 0, values)

    def silenced(self, samples: Vector | None) -> Vector | None:
        """Sample weights, 0 in rows that are ignored."""
        if self.ignored is None:
            return samples
        return np.where(self.ignored, 0, 1 if samples is None else samples).astype(self.dtype)


def clipped(outcome: Outcome, epsilon: float) -> tuple[Outcome, Mask | None]:
    """The outcome with probabilities of at least ``epsilon``, and where that changed it (None: nowhere)."""
    if epsilon == 0:
        return outcome, None
    low = outcome.p < epsilon
    raised = Outcome(
        np.maximum(outcome.log_p, np.log(epsilon)),
        np.maximum(outcome.p, epsilon),
        np.minimum(outcome.not_p, 1 - epsilon),
    )
    return raised, low


def flat_where(low: Mask | None, slopes: Floats) -> Floats:
    """Slopes, 0 where the probability is clipped: there the loss does not move."""
    return slopes if low is None else np.where(low, 0, slopes)


def weighed(weight: Floats | None, value: Floats) -> Floats:
    """``weight`` · ``value``, where None weighs 1 and a weight of 0 silences infinities."""
    return value if weight is None else finite_product(weight, value)
