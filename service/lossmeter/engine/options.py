"""The options of a scoring that are numbers or words, checked once and frozen."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from lossmeter.engine.arrays import floats
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.errors import Step

Input: TypeAlias = Literal["logits", "probabilities", "log_probabilities"]
Reduction: TypeAlias = Literal["mean", "sum", "none"]
Normalization: TypeAlias = Literal["weight", "count"]
Unit: TypeAlias = Literal["nats", "bits"]
Part: TypeAlias = Literal["losses", "gradients", "kl", "contributions", "probabilities", "state"]

INPUTS: tuple[Input, ...] = get_args(Input)
"""Exactly one of them is sent."""

PARTS: tuple[Part, ...] = get_args(Part)[:-1]
"""Those that are arrays."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to score; the fields are those of the contract.

    Attributes:
        label_smoothing: share of the truth that is spread over all classes, in [0, 1).
        temperature: what logits are divided by, > 0.
        reduction: what ``loss`` is.
        normalization: what a mean is divided by.
        unit: of every loss, entropy, divergence and gradient.
        epsilon: the smallest probability that is believed, in [0, 0.5); 0 believes all.
        tolerance: how far a row of probabilities may be from summing to 1.
        include: which parts the answer carries.
    """

    label_smoothing: float = 0.0
    temperature: float = 1.0
    reduction: Reduction = "mean"
    normalization: Normalization = "weight"
    unit: Unit = "nats"
    epsilon: float = 0.0
    tolerance: float = 1e-6
    include: Collection[Part] = ("losses", "gradients", "kl")

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        check_range(
            "label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "a number in [0, 1)"
        )
        check_temperature(self.temperature)
        check_word("reduction", self.reduction, get_args(Reduction))
        check_word("normalization", self.normalization, get_args(Normalization))
        check_word("unit", self.unit, get_args(Unit))
        check_range("epsilon", self.epsilon, 0 <= self.epsilon < 0.5, "a number in [0, 0.5)")  # noqa: PLR2004  the contract's range
        check_tolerance(self.tolerance)
        for place, part in enumerate(self.include):
            check_word("include", part, get_args(Part), place)

    @property
    def nats_per_unit(self) -> float:
        """What a number in nats is divided by to be in ``unit``."""
        return nats_per(self.unit)


def number(value: ArrayLike | None, *path: Step) -> float:
    """An option as Python's own float: NumPy's scalars are computed with in their dtype, which may be a narrow one.

    Raises:
        InvalidInputError: not a single number.
    """
    return value if type(value) is float else float(floats(value, *path, ranks=(0,)))


def whole(value: ArrayLike | None, *path: Step) -> int:
    """An option as Python's own int, from any number without a fraction.

    Raises:
        InvalidInputError: not a single number, or with a fraction.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    given = number(value, *path)
    if not given.is_integer():
        raise InvalidInputError.at(*path, detail="a whole number is wanted", value=given)
    return int(given)


def names(include: Collection[str]) -> tuple[str, ...]:
    """What an answer is to carry.

    Raises:
        InvalidInputError: a single string, which would be read letter by letter.
    """
    if isinstance(include, str):
        raise InvalidInputError.at("include", detail="a list of names is wanted", value=include)
    return tuple(include)


def nats_per(unit: Unit) -> float:
    """1 for nats, ln 2 for bits."""
    return math.log(2) if unit == "bits" else 1.0


def check_temperature(temperature: float, dtype: type[np.floating[Any]] | np.dtype[Any] = np.float64) -> None:
    """Refuse a temperature that is not above 0, or beyond what its logits can be divided by."""
    known = np.finfo(dtype)
    inside = float(known.tiny) <= temperature <= float(known.max)
    check_range("temperature", temperature, inside, f"a finite number > 0 in the range of {known.dtype.name}")


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance outside [0, 1)."""
    check_range("tolerance", tolerance, 0 <= tolerance < 1, "a number in [0, 1)")


def check_range(name: str, value: float, inside: bool, wanted: str) -> None:  # noqa: FBT001  a comparison made by the caller
    """Refuse a number that is not inside its range."""
    if not inside:
        raise InvalidInputError.at(name, detail=f"{wanted} is wanted", value=value)


def check_word(name: str, value: str, words: tuple[str, ...], *at: int) -> None:
    """Refuse a word that is not one of those known."""
    if value not in words:
        raise InvalidInputError.at(name, *at, detail=f"one of {', '.join(words)} is wanted", value=value)
