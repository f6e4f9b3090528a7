"""What a loss is: a frozen dataclass that says its formula and computes values and slopes, unreduced and unweighted.

There are three kinds, and everything else (weights, smoothing, masks, gradients, blocks) is written once around them:

* ``TargetLoss``: Σ_c t_c φ(log p_c). A scalar function of a log-probability and its slope: three lines.
* ``DivergenceLoss``: a function of the whole pair of rows (t, p).
* ``BinaryLoss``: a ``TargetLoss`` on both outcomes of every label, each with a weight of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from lossmeter.engine.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Floats, Matrix, Vector
    from lossmeter.engine.outcome import Outcome


def parameter(*, default: float | None, **about: Any) -> Any:  # noqa: ANN401  as dataclasses.field itself
    """A dataclass field that is a loss's parameter; the keywords are those of ``Parameter``."""
    return field(default=default, metadata={"about": {"default": default, **about}})


@dataclass(frozen=True, eq=False)
class Loss(ABC):
    """A loss and its parameters.

    Attributes:
        name: how requests call it.
        title: how people call it.
        summary: what it is for, in one sentence.
        formula: of one row, in LaTeX.
        reference: where it was introduced.
        binary: whether the input holds one number per label rather than one per class.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    formula: ClassVar[str]
    reference: ClassVar[str]
    binary: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse parameters out of range; arrays of parameters become arrays."""
        for name, about in self.parameters().items():
            object.__setattr__(self, name, about.check(getattr(self, name)))

    @classmethod
    @cache
    def parameters(cls) -> Mapping[str, Parameter]:
        """The parameters, by name."""
        described = {
            each.name: Parameter(name=each.name, **each.metadata["about"])
            for each in fields(cls)
            if "about" in each.metadata
        }
        return MappingProxyType(described)


class TargetLoss(Loss):
    """Σ_c t_c φ(log p_c): a loss of the probability of the truth."""

    @property
    def linear(self) -> bool:
        """Whether φ is −log p itself, so that a shared truth needs no φ class by class."""
        return False

    @abstractmethod
    def phi(self, outcome: Outcome) -> Floats:
        """φ(log p), elementwise; nats."""

    @abstractmethod
    def slope(self, outcome: Outcome) -> Floats:
        """dφ/d log p ≤ 0, elementwise; nats."""

    def slopes_by_probability(self, outcome: Outcome, slopes: Floats) -> Floats:
        """The slopes dφ/dp, also where p is 0, given those by log p."""
        return slopes / outcome.p

    def class_factors(self) -> Vector | None:
        """What φ of each class is multiplied by, ``Float[classes]``; part of the loss, not of its weights."""
        return None


class DivergenceLoss(Loss):
    """A loss of the whole pair of distributions.

    Attributes:
        hard: for a one-hot truth, the equal ``TargetLoss``, if there is one.
        free_slope: what the slope at every class is short of, per unit of p_c, while the p are free. It falls out of
            every gradient with respect to logits, because they keep Σp at 1.
    """

    hard: ClassVar[TargetLoss | None] = None
    free_slope: ClassVar[float] = 0.0

    @abstractmethod
    def rows(self, targets: Matrix, outcome: Outcome) -> Vector:
        """The loss of every row; nats."""

    @abstractmethod
    def slopes(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """The slopes of the loss by log p_c while each p_c moves alone; nats."""

    @abstractmethod
    def slopes_by_probability(self, targets: Matrix, outcome: Outcome) -> Matrix:
        """The slopes of the loss by p_c, also where p_c is 0."""


class BinaryLoss(Loss):
    """Σ_labels of a ``TargetLoss`` on both outcomes: w₁ t φ(log p) + w₀ (1−t) φ(log(1−p))."""

    binary: ClassVar[bool] = True

    @property
    @abstractmethod
    def of_outcome(self) -> TargetLoss:
        """φ, the loss of either outcome."""

    def outcome_factors(self) -> tuple[float | Vector, float | Vector]:
        """(w₁, w₀): what the loss is multiplied by where the truth is 1, and where it is 0."""
        return 1.0, 1.0
