"""Where a change of the mean loss comes from: other rows, other truths, or worse predictions of the same.

Rows fall into slices s, and within a slice into true classes c. With the share π_s of the weight that falls on a slice,
the share q_sc of a class within it and the mean loss R of each, and with x̄ the mean of x over both windows,

    mix          Σ_s (π'_s − π_s) (R̄_s − R̄)                    the rows come from elsewhere
    label_shift  Σ_s π̄_s Σ_c (q'_sc − q_sc) (R̄_sc − R̄_s)      their truths are others
    within       Σ_s π̄_s Σ_c q̄_sc (R'_sc − R_sc)               the same truths are predicted worse

add up to the change, because x'y' − xy = x̄ (y'−y) + (x'−x) ȳ. Shares and means are fractions of 256 bits: what the
three parts of every slice miss is far below what each is rounded to, once. What is in one window alone is a matter of
mix.

Source: Kitagawa, "Components of a Difference Between Two Rates", JASA 50 (1955), with the classes nested in the slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from lossmeter.engine.comparison.exact import nearest, quotient

Cell: TypeAlias = tuple[Fraction, Fraction]
"""(Σw, Σy): weight and weighted loss."""

Cells: TypeAlias = Mapping[str, Mapping[int, Cell]]
"""Slice → true class → what fell there."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a change, of one slice or of all.

    Attributes:
        mix: because more or fewer rows come from slices that are worse than the mean.
        label_shift: because true classes that are hard have become more or less frequent.
        within: because the same class in the same slice costs more or less.
    """

    mix: Fraction
    label_shift: Fraction
    within: Fraction

    @property
    def total(self) -> Fraction:
        """The sum of the three."""
        return self.mix + self.label_shift + self.within


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The change of a mean loss, split; nats.

    Attributes:
        mix: the part of the mix of slices.
        label_shift: the part of the mix of true classes within slices.
        within: the part of the losses of the same class in the same slice.
        residual: what the three, rounded, leave of the change, rounded: a unit in the last place or 0.
    """

    mix: float
    label_shift: float
    within: float
    residual: float


def split(reference: Cells, current: Cells, change: float) -> tuple[Split, Mapping[str, Parts]]:
    """Split ``change``, the difference of the two means, over slices and classes; both windows have some weight.

    Returns:
        the parts of the change, and the ones of every slice, which add up to them.
    """
    before, after = _Window(reference), _Window(current)
    middle = (before.mean() + after.mean()) / 2
    slices = {name: _parts(name, before, after, middle) for name in sorted({*reference, *current})}
    mix = nearest(sum((each.mix for each in slices.values()), Fraction(0)))
    label_shift = nearest(sum((each.label_shift for each in slices.values()), Fraction(0)))
    within = nearest(sum((each.within for each in slices.values()), Fraction(0)))
    residual = change - (mix + label_shift + within)
    return Split(mix, label_shift, within, residual + 0.0), slices


class _Window:
    """Shares and means of one window."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._slices = {name: _sum(list(classes.values())) for name, classes in cells.items()}
        self._whole = _sum(list(self._slices.values()))

    def mean(self) -> Fraction:
        """Of all rows."""
        return quotient(self._whole[1], self._whole[0])

    def share(self, name: str) -> Fraction:
        """Of a slice in all weight."""
        return quotient(self._slices.get(name, _NOTHING)[0], self._whole[0])

    def mean_of(self, name: str) -> Fraction | None:
        """Of a slice; None where it has no weight."""
        weight, loss = self._slices.get(name, _NOTHING)
        return quotient(loss, weight) if weight else None

    def classes(self, name: str) -> Mapping[int, tuple[Fraction, Fraction]]:
        """Class → (its share of the slice, its mean)."""
        whole = self._slices.get(name, _NOTHING)[0]
        cells = self._cells.get(name, {})
        return {
            label: (quotient(weight, whole), quotient(loss, weight))
            for label, (weight, loss) in cells.items()
            if weight
        }


_NOTHING: Cell = (Fraction(0), Fraction(0))


def _sum(cells: list[Cell]) -> Cell:
    return sum((cell[0] for cell in cells), Fraction(0)), sum((cell[1] for cell in cells), Fraction(0))


def _parts(name: str, before: _Window, after: _Window, middle: Fraction) -> Parts:
    first, second = before.mean_of(name), after.mean_of(name)
    moved = after.share(name) - before.share(name)
    if first is None or second is None:  # in one window alone: all of it is mix
        present = second if first is None else first
        return Parts(moved * ((present or 0) - middle) if present is not None else Fraction(0), *_NOTHING)
    share = (before.share(name) + after.share(name)) / 2
    label_shift, within = _within_slice(before.classes(name), after.classes(name), (first + second) / 2)
    return Parts(moved * ((first + second) / 2 - middle), share * label_shift, share * within)


def _within_slice(before: Mapping[int, Cell], after: Mapping[int, Cell], middle: Fraction) -> Cell:
    """The label shift and the rest of the change of one slice's mean."""
    label_shift = within = Fraction(0)
    for label in {*before, *after}:
        share, mean = before.get(label) or (Fraction(0), after[label][1])
        share_after, mean_after = after.get(label) or (Fraction(0), mean)
        label_shift += (share_after - share) * ((mean + mean_after) / 2 - middle)
        within += (share + share_after) / 2 * (mean_after - mean)
    return label_shift, within
