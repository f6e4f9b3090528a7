"""The weights and losses of a state by slice and true class, as exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.layout import TABLES
from lossmeter.engine.state.slices import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lossmeter.engine.comparison.split import Cell, Cells
    from lossmeter.engine.state import State


def by_class(state: State) -> Cells:
    """All rows as one slice of the name "", by their true class."""
    return {"": _cells(state, "classes", ("weight", "loss"), 0, state.options["classes"])}


SHARED = -1
"""The class of rows whose truth is shared among classes: a state does not keep by which."""


def by_slice(state: State, dimension: str) -> Cells:
    """The values of a dimension, each by true class; labels that are each true or not have no classes."""
    values, first = state.slice_names[dimension], first_of(state.slice_names, dimension)
    whole = dict(zip(values, _cells(state, "slices", ("w", "y"), first, len(values)).values(), strict=True))
    if state.options["truth"] == "labels":
        return {value: {0: cell} for value, cell in whole.items()}
    classes = state.options["classes"]
    found: dict[str, dict[int, Cell]] = {value: {} for value in values}
    cells = _cells(state, "slice_classes", ("weight", "loss"), first * classes, len(values) * classes)
    for key, cell in cells.items():
        found[values[key // classes - first]][key % classes] = cell
    if state.total["soft"]:
        for value, of_classes in found.items():
            hard = list(of_classes.values())
            weight, loss = (
                whole[value][part] - sum((cell[part] for cell in hard), Fraction(0)) for part in range(2)
            )
            of_classes[SHARED] = (weight, loss)
    return found


def _cells(state: State, name: str, columns: Iterable[str], first: int, count: int) -> dict[int, Cell]:
    """By key, weights and losses of the rows of a table whose keys are so many from the first on."""
    keys = state.tables[name].keys
    table = state.tables[name].rows(slice(*np.searchsorted(keys, (first, first + count)).tolist()))
    weights, losses = (table.column(TABLES[name].index(column)).fractions() for column in columns)
    return dict(zip(table.keys.tolist(), zip(weights, losses, strict=True), strict=True))
