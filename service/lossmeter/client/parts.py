"""A batch that is too large for one request, in parts, and the answer as if it had been scored at once.

Parts are asked for sums, which add up; what a mean is divided by is known at the end. So the answer equals that to
the whole batch but for the rounding of a sum in another order, and of a division behind instead of before: a few units
in the last place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from lossmeter.engine import KLBreakdown
from lossmeter.engine.options import Normalization

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lossmeter.client.results import Scores
    from lossmeter.engine.options import Reduction

OF_ROWS: Final = ("losses", "gradients", "contributions", "probabilities")
KL_OF_ROWS: Final = ("target_entropy", "cross_entropy", "kl_divergence")


@dataclass(slots=True)
class Tally:
    """What adds up over parts that were scored with reduction "sum" or "none"; needs no memory of their rows.

    Attributes:
        normalization: what a mean is divided by.
        count: rows that were scored.
        ignored: rows that were ignored.
    """

    normalization: Normalization = "weight"
    count: int = 0
    ignored: int = 0
    _sums: list[float] = field(default_factory=list)
    _denominators: list[float] = field(default_factory=list)
    _by_class: NDArray[np.float64] | None = None

    def add(self, part: Scores) -> None:
        """One more part."""
        self.count += part.count
        self.ignored += part.ignored
        self._denominators.append(part.denominator)
        if part.loss is not None:
            self._sums.append(part.loss)
        if part.kl is not None:
            # A part without weight has no mean that could be infinite.
            shares = part.kl.by_class.astype(np.float64) * part.denominator if part.denominator else 0.0
            self._by_class = (
                np.zeros(len(part.kl.by_class)) if self._by_class is None else self._by_class
            ) + shares

    @property
    def denominator(self) -> float:
        """What a mean over all parts is divided by; rows that weigh nothing count once another row weighs."""
        whole = _sum(self._denominators)
        return float(self.count) if whole and self.normalization == "count" else whole

    def loss(self, reduction: Reduction) -> float | None:
        """The loss of all parts; None with reduction "none"."""
        if reduction == "none":
            return None
        whole = _sum(self._sums)
        if reduction == "sum":
            return whole
        return whole / self.denominator if self.denominator else 0.0

    def by_class(self) -> NDArray[np.float64] | None:
        """``Float[classes]``, the share of the mean KL that falls on each class, if the parts had any."""
        if self._by_class is None or not self.denominator:
            return self._by_class
        return self._by_class / self.denominator


class Whole:
    """The answer to a batch of so many rows, as it comes in.

    Attributes:
        states: of the parts, if they were asked for; it takes the server to add them up.
    """

    def __init__(self, size: int, reduction: Reduction, normalization: Normalization) -> None:
        self._size = size
        self._reduction: Reduction = reduction
        self._tally = Tally(normalization)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._last: Scores | None = None
        self.states: list[str] = []

    def put(self, start: int, part: Scores) -> None:
        """The answer to the rows from ``start`` on."""
        self._tally.add(part)
        self._fill(start, part, OF_ROWS)
        if part.kl is not None:
            self._fill(start, part.kl, KL_OF_ROWS)
        if part.state is not None:
            self.states.append(part.state)
        self._last = replace(part, kl=part.kl and replace(part.kl, **dict.fromkeys(KL_OF_ROWS, np.empty(0))))

    def scores(self) -> Scores:
        """The answer, once every row is in, but for the state and the slices."""
        assert self._last is not None  # noqa: S101 - there is no batch without a part
        denominator = self._tally.denominator
        gradients = self._arrays.get("gradients")
        if gradients is not None and self._reduction == "mean" and denominator:
            np.divide(gradients, gradients.dtype.type(denominator), out=gradients)
        arrays: dict[str, Any] = {name: self._arrays.get(name) for name in OF_ROWS}
        return replace(
            self._last,
            loss=self._tally.loss(self._reduction),
            reduction=self._reduction,
            denominator=denominator,
            count=self._tally.count,
            ignored=self._tally.ignored,
            kl=self._breakdown(),
            state=None,
            slices=None,
            **arrays,
        )

    def _breakdown(self) -> KLBreakdown | None:
        by_class = self._tally.by_class()
        if by_class is None:
            return None
        of_rows = {name: self._arrays[name] for name in KL_OF_ROWS}
        return KLBreakdown(**of_rows, by_class=by_class.astype(of_rows["kl_divergence"].dtype))

    def _fill(self, start: int, part: object, names: Iterable[str]) -> None:
        for name in names:
            values = getattr(part, name)
            if values is None:
                continue
            if name not in self._arrays:
                self._arrays[name] = np.empty((self._size, *values.shape[1:]), values.dtype)
            self._arrays[name][start : start + len(values)] = values


def _sum(values: list[float]) -> float:
    """Rounded once; infinite where that is what it comes to."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest double, or ∞ − ∞
        return float(np.sum(values))
