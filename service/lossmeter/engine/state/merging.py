"""Adding up states."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.state.layout import MOST_VALUES, TABLES
from lossmeter.engine.state.state import State
from lossmeter.engine.state.tables import Table, added
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lossmeter.engine.arrays import Indices

SLICED = {"slices", "slice_classes"}
"""Tables whose keys hold the number of a slice, which depends on the values that occur."""


def merge(states: Sequence[State]) -> State:
    """The state of all rows of the states: the same in any order and grouping, to the byte.

    Raises:
        InvalidInputError: no state, states with different options (the difference is named), or more values in a
            dimension of slices than a state may hold.
    """
    if not states:
        raise InvalidInputError.at("states", detail="at least one state is wanted")
    first = states[0]
    for place, state in enumerate(states):
        if state.options is not first.options and state.options != first.options:
            raise _difference(state, first, place)
    names = _united(states)
    tables = {}
    for name, columns in TABLES.items():
        parts = [state.tables[name] for state in states]
        if name in SLICED:
            classes = 1 if name == "slices" else first.options["classes"]
            parts = [
                _renumbered(each, state, names, classes) for each, state in zip(parts, states, strict=True)
            ]
        tables[name] = added(parts, len(columns))
    return State(first.options, names, tables)


def _difference(state: State, first: State, place: int) -> InvalidInputError:
    """The first option in which they differ."""
    name = next(name for name in first.options if state.options[name] != first.options[name])
    here, there = (json.dumps(each.options[name], ensure_ascii=False)[:200] for each in (state, first))
    detail = f"states of the same {name} are wanted: it is {here} here and {there} in the first state"
    return InvalidInputError.at("states", place, "options", name, detail=detail)


def _united(states: Sequence[State]) -> dict[str, tuple[str, ...]]:
    """The values of every dimension that occur in any state, sorted."""
    united = {}
    for dimension in states[0].slice_names:
        different = {state.slice_names[dimension] for state in states}
        values = (
            different.pop() if len(different) == 1 else tuple(sorted(set(chain.from_iterable(different))))
        )
        united[dimension] = values
    count = sum(map(len, united.values()))
    if count > MOST_VALUES:
        detail = f"at most {MOST_VALUES} different values of all dimensions are wanted, these have {count}"
        raise InvalidInputError.at("states", 0, "slices", detail=detail)
    return united


def _renumbered(table: Table, state: State, names: Mapping[str, tuple[str, ...]], classes: int) -> Table:
    """The table with the numbers that its slices have among those of all states."""
    if all(state.slice_names[dimension] == values for dimension, values in names.items()):
        return table
    number = _numbers(state.slice_names, names)
    keys = number[table.keys // classes] * classes + table.keys % classes
    return Table(keys, table.columns, table.digits)


def _numbers(own: Mapping[str, tuple[str, ...]], names: Mapping[str, tuple[str, ...]]) -> Indices:
    """Of every slice of a state, its number among those of all states; both ascend."""
    numbers: list[int] = []
    start = 0
    for dimension, values in names.items():
        place = {value: start + number for number, value in enumerate(values)}
        numbers += [place[value] for value in own[dimension]]
        start += len(values)
    return np.array(numbers, np.intp)
