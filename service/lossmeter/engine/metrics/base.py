"""What a metric is: a name, a formula, and a pure function of the evidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

import numpy as np

from lossmeter.engine.arrays import Indices, Matrix, Vector

if TYPE_CHECKING:
    from lossmeter.engine.evidence import Evidence, Groups, Rows

T = TypeVar("T")

Answer: TypeAlias = float | Matrix | Mapping[str, float | Vector | Indices]
"""A number, or an object of numbers and lists by name; the confusion matrix is a matrix."""

NOTHING = "no row counts: all are ignored, or weigh 0"
SOFT = "it compares true classes, and the truth of some row is shared among several"
NOT_KEPT = "it needs every row, and a state does not keep them"


class Undefined(Exception):  # noqa: N818  an answer of the metric, not a failure of the program
    """The definition has no value here; the message says why."""


class Metric(ABC):
    """A metric. It has no state: the registry holds one of each.

    Attributes:
        name: how requests and answers call it.
        title: how people call it.
        summary: what it says, in one or two sentences.
        formula: in LaTeX.
        reference: where it was introduced.
        additive: whether sums over rows are enough, so that a state can answer; False: it needs every row.
        binned: whether it looks at bins of the confidence. Bins of equal mass need every row.
        reasons: for the parts of an object that may be NaN, why each is.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    formula: ClassVar[str]
    reference: ClassVar[str]
    additive: ClassVar[bool] = True
    binned: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def compute(self, evidence: Evidence) -> Answer:
        """The metric of these rows.

        Raises:
            Undefined: the definition gives no value; says why.
        """
        if evidence.weight == 0:
            raise Undefined(NOTHING)
        with np.errstate(all="ignore"):  # infinities are answers here
            return self.of(evidence)

    @abstractmethod
    def of(self, evidence: Evidence) -> Answer:
        """The metric of rows whose weight is not 0."""

    def needs_rows(self, binning: str, classes: int) -> bool:  # noqa: ARG002  classes matter to some
        """Whether it has to see every row when bins are made this way and there are so many classes."""
        return not self.additive or (self.binned and binning != "equal_width")


def once(make: Callable[[Evidence], T]) -> Callable[[Evidence], T]:
    """What several metrics share is made when first asked for, and kept with the evidence, as a cached property is."""
    name = f"{make.__module__}.{make.__qualname__}"

    @wraps(make)
    def kept(evidence: Evidence) -> T:
        memory = vars(evidence)
        if name not in memory:
            memory[name] = make(evidence)
        found: T = memory[name]
        return found

    return kept


def groups_of(evidence: Evidence) -> Groups:
    """The rows by predicted class and confidence.

    Raises:
        Undefined: the truth is soft.
    """
    if evidence.groups is None:
        raise Undefined(SOFT)
    return evidence.groups


def rows_of(evidence: Evidence) -> Rows:
    """The rows themselves.

    Raises:
        Undefined: the truth is soft, or this is a state.
    """
    if evidence.soft:
        raise Undefined(SOFT)
    if evidence.rows is None:
        raise Undefined(NOT_KEPT)
    return evidence.rows
