"""The seam between what was sent and what a loss needs: outcomes in full accuracy one way, gradients the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from lossmeter.engine import scratch
from lossmeter.engine.arrays import Mask, Matrix

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Vector
    from lossmeter.engine.losses import DivergenceLoss, TargetLoss
    from lossmeter.engine.outcome import Outcome
    from lossmeter.engine.predictions.softmax_views import SharedLogits
    from lossmeter.errors import InvalidInputError

Chosen: TypeAlias = "slice | Indices"
"""Rows of the batch: a block of it, or some rows of a block."""


class AtTargets(ABC):
    """A block of rows seen at one class each.

    Attributes:
        outcome: of the target class, vectors ``Float[rows]``.
    """

    outcome: Outcome

    @abstractmethod
    def slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Vector) -> Vector:
        """Slopes by log p, turned into what ``gradients`` wants for this kind of input."""

    @abstractmethod
    def gradients(self, slopes: Vector, out: Matrix) -> None:
        """Write the gradient of Σ_i slopes_i · (that of the target of row i) with respect to the rows as sent."""

    @abstractmethod
    def probabilities(self) -> Matrix:
        """``Float[rows, classes]``."""

    @abstractmethod
    def masses(self) -> tuple[Matrix, Vector | None]:
        """What the probabilities of the other classes are proportional to, and what 1 is (None: 1 itself).

        Float[rows, classes] in scratch memory, of which gradients are made; the target's own entry means nothing.
        """


class AllClasses(ABC):
    """A block of rows seen at every class.

    Attributes:
        outcome: of every class, matrices ``Float[rows, classes]``.
    """

    outcome: Outcome

    @abstractmethod
    def target_slopes(self, loss: TargetLoss, outcome: Outcome, slopes: Matrix) -> Matrix:
        """Slopes of φ by log p, turned into what ``gradients`` wants for this kind of input."""

    @abstractmethod
    def divergence_slopes(
        self, loss: DivergenceLoss, targets: Matrix, outcome: Outcome, slopes: Matrix
    ) -> Matrix:
        """Slopes of a divergence by log p, turned into what ``gradients`` wants for this kind of input."""

    @abstractmethod
    def gradients(self, slopes: Matrix, out: Matrix) -> None:
        """Write the gradient with respect to the rows as sent, from the slopes at every class."""


@dataclass(frozen=True, slots=True)
class Predictions(ABC):
    """A batch of rows as sent.

    Attributes:
        values: ``Float[n, classes]``, float32 or float64, any memory order; never written to.
        ignored: ``Bool[n]``, rows that are not looked at, whatever they hold; None where there are none.
        tolerance: how far a row of probabilities may be from summing to 1.
        name: the field that it was sent in, for errors.
    """

    by_row: ClassVar[bool] = False
    """Whether short rows, too, are worked on along their own memory."""

    values: Matrix
    ignored: Mask | None = None
    tolerance: float = 1e-6
    name: str = ""

    @abstractmethod
    def at_targets(self, rows: Chosen, targets: Indices) -> AtTargets:
        """The rows at one class each. Raises ``InvalidInputError`` where they cannot be scored."""

    @abstractmethod
    def all_classes(self, rows: Chosen) -> AllClasses:
        """The rows at every class. Raises ``InvalidInputError`` where they cannot be scored."""

    def cross_entropy(self, rows: Chosen, shares: Matrix) -> SharedLogits | None:  # noqa: ARG002  for those that have one
        """A shorter way to the cross-entropy of rows with a shared truth, where there is one."""
        return None

    @abstractmethod
    def excluded(self, rows: Chosen) -> Mask:
        """Which classes the model gives no probability at all, ``Bool[rows, classes]``."""

    @abstractmethod
    def refusal(self) -> InvalidInputError:
        """The error that names the first rows or elements that cannot be scored; for a batch that holds some."""

    def load(self, rows: Chosen, harmless: float) -> Matrix:
        """The rows as ``Float64[rows, classes]`` in scratch memory; ignored rows are made harmless."""
        sent = self.values[rows]
        block = scratch.matrix(f"rows of {self.name}", *sent.shape)
        np.copyto(block, sent)
        if self.ignored is not None:
            block[self.ignored[rows]] = harmless
        return block

    def looked_at(self, bad: Mask) -> Mask:
        """``bad`` without the rows that are ignored."""
        if self.ignored is None:
            return bad
        return bad & ~(self.ignored if bad.ndim == 1 else self.ignored[:, None])
