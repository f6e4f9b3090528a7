"""What a state knows of the rows that have one value in one dimension."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.layout import MOMENTS, SLICES
from lossmeter.engine.state.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from lossmeter.engine.state.tables import Table

SHOWN = 100
"""Of the values of a dimension, so many with the most weight are shown by themselves."""

OTHER = "other"
"""The bucket of the values that are not shown; where there is one, it takes in a value of this very name."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a slice; means are over their weight, 0 without any.

    Attributes:
        count: rows that are not ignored.
        weight: Σ w.
        loss: the mean loss, nats.
        log_loss: the mean log loss, nats.
        brier: the mean Brier score, 0 … 2.
        accuracy: the share of hits.
        top_k: the share of rows whose truth is among the k most probable.
        confidence: the mean probability of the predicted class.
        moments: of the losses.
    """

    count: int
    weight: float
    loss: float
    log_loss: float
    brier: float
    accuracy: float
    top_k: float
    confidence: float
    moments: Moments

    @classmethod
    def of(cls, sums: Mapping[str, Fraction]) -> Slice:
        """From the columns of a row of the table of slices."""
        weight = sums["weight"]

        def mean(column: str) -> float:
            return float(sums[column] / weight) if weight else 0.0

        moments = moments_of(sums)
        return cls(
            count=int(sums["count"]),
            weight=float(weight),
            loss=moments.mean,
            log_loss=float("inf") if sums["certain_misses"] else mean("log_loss"),
            brier=mean("brier"),
            accuracy=mean("correct"),
            top_k=mean("top_k"),
            confidence=mean("confidence"),
            moments=moments,
        )


def moments_of(sums: Mapping[str, Fraction]) -> Moments:
    """From the columns that ``MOMENTS`` names."""
    units, infinite, *powers = (sums[name] for name in MOMENTS)
    return Moments(int(units), int(infinite), *powers)


def shown(table: Table, names: Mapping[str, Sequence[str]], most: int = SHOWN) -> dict[str, dict[str, Slice]]:
    """The values of every dimension, those with the most weight first; beyond ``most`` of them the rest is ``other``.

    Which ones are kept is decided here, of all rows together: weight first, then the name. A state itself keeps every
    value, so neither the order nor the grouping of merges has a say.
    """
    weights = table.column(SLICES.index("weight")).floats()
    answer: dict[str, dict[str, Slice]] = {}
    for dimension, values in names.items():
        start = first_of(names, dimension)
        order = sorted(range(len(values)), key=lambda place: (-weights[start + place], values[place]))
        kept, rest = order[:most], order[most:]
        if rest:
            rest += [place for place in kept if values[place] == OTHER]
            kept = [place for place in kept if values[place] != OTHER]
        slices = _slices(table.rows(np.array(kept, np.intp) + start))
        answer[dimension] = dict(zip((values[place] for place in kept), slices, strict=True))
        if rest:
            sums = table.rows(np.array(rest, np.intp) + start).whole().fractions()
            answer[dimension][OTHER] = Slice.of(dict(zip(SLICES, sums, strict=True)))
    return answer


def one(table: Table, names: Mapping[str, Sequence[str]], dimension: str, value: str) -> Slice | None:
    """The slice of a value; None where it does not occur."""
    values = names[dimension]
    place = bisect_left(values, value)
    if place == len(values) or values[place] != value:
        return None
    return _slices(table.rows(np.array([first_of(names, dimension) + place])))[0]


def first_of(names: Mapping[str, Sequence[str]], dimension: str) -> int:
    """The number of the first value of a dimension: slices are numbered dimension by dimension."""
    return sum(len(names[before]) for before in takewhile(lambda name: name != dimension, names))


def _slices(table: Table) -> list[Slice]:
    columns = [table.column(place).fractions() for place in range(len(SLICES))]
    return [Slice.of(dict(zip(SLICES, sums, strict=True))) for sums in zip(*columns, strict=True)]
