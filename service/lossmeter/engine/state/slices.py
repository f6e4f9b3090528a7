"""What a state knows of the rows that have one value in one dimension."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from lossmeter.engine.state.layout import MOMENTS, SLICES
from lossmeter.engine.state.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    rows = _rows(table, sum(map(len, names.values())))
    answer: dict[str, dict[str, Slice]] = {}
    start = 0
    for dimension, values in names.items():
        found = sorted(
            zip(values, rows[start : start + len(values)], strict=True),
            key=lambda each: (-each[1]["weight"], each[0]),
        )
        start += len(values)
        kept, rest = found[:most], found[most:]
        if rest:
            rest += [each for each in kept if each[0] == OTHER]
            kept = [each for each in kept if each[0] != OTHER]
        answer[dimension] = {value: Slice.of(sums) for value, sums in kept}
        if rest:
            answer[dimension][OTHER] = Slice.of(
                {column: sum((sums[column] for _, sums in rest), Fraction(0)) for column in SLICES}
            )
    return answer


def _rows(table: Table, count: int) -> list[dict[str, Fraction]]:
    """The columns of every slice."""
    found: list[dict[str, Fraction]] = [dict.fromkeys(SLICES, Fraction(0)) for _ in range(count)]
    for place, column in enumerate(SLICES):
        for key, value in zip(table.keys.tolist(), table.column(place).fractions(), strict=True):
            found[key][column] = value
    return found
