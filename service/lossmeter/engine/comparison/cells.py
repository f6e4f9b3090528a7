"""The weights and losses of a state by slice and true class, as exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from lossmeter.engine.state.layout import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lossmeter.engine.comparison.split import Cell, Cells
    from lossmeter.engine.state import State


def by_class(state: State) -> Cells:
    """All rows as one slice of the name "", by their true class."""
    return {"": dict(_cells(state, "classes"))}


SHARED = -1
"""The class of rows whose truth is shared among classes: a state does not keep by which."""


def by_slice(state: State, dimension: str) -> Cells:
    """The values of a dimension, each by true class; labels that are each true or not have no classes."""
    values, first = state.slice_names[dimension], _first(state, dimension)
    if state.options["truth"] == "labels":
        slices = state.slices(most=len(values))[dimension]
        return {value: {0: (each.moments.w, each.moments.y)} for value, each in slices.items()}
    classes = state.options["classes"]
    found: dict[str, dict[int, Cell]] = {value: {} for value in values}
    for key, cell in _cells(state, "slice_classes"):
        place = key // classes - first
        if 0 <= place < len(values):
            found[values[place]][key % classes] = cell
    if state.total["soft"]:
        for value, each in state.slices(most=len(values))[dimension].items():
            hard = found[value].values()
            weight = each.moments.w - sum((cell[0] for cell in hard), Fraction(0))
            loss = each.moments.y - sum((cell[1] for cell in hard), Fraction(0))
            found[value][SHARED] = (weight, loss)
    return found


def _first(state: State, dimension: str) -> int:
    """The number of the first value of a dimension: slices are numbered dimension by dimension."""
    before = 0
    for name, values in state.slice_names.items():
        if name == dimension:
            break
        before += len(values)
    return before


def _cells(state: State, table: str) -> Iterator[tuple[int, Cell]]:
    columns = TABLES[table]
    sums = state.tables[table]
    weights, losses = (sums.column(columns.index(name)).fractions() for name in ("weight", "loss"))
    for key, weight, loss in zip(sums.keys.tolist(), weights, losses, strict=True):
        yield key, (Fraction(weight), Fraction(loss))
