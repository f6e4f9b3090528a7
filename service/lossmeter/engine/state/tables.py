"""What a state is made of: tables of exact sums, a row for every key that occurs.

A table has sorted keys and a few columns, all in one window of digits. Tables add up by key; so do many of them, a few
hundred at a time in a handful of NumPy calls. Whatever was added in whatever order, the same sums are the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Indices
from lossmeter.engine.state.digits import Digits, Integers, Planes, carried

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


TOGETHER = 256
"""So many tables are added at a time: enough to forget what a call costs, few enough for little memory."""

ROWS_TOGETHER = 1 << 16
"""Their rows, so that what is made of them stays in the cache."""

DENSE = 1 << 22
"""Keys below this are looked up in an array of that size, others are searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Sums by key.

    Attributes:
        keys: ``Int64[rows]``, ascending; a row in which every sum is 0 is left out.
        columns: how many sums a row has.
        digits: of the sums, row by row: ``rows · columns`` of them.
    """

    keys: Indices
    columns: int
    digits: Digits

    @classmethod
    def empty(cls, columns: int) -> Table:
        """Without a row."""
        return cls(np.zeros(0, np.intp), columns, Digits.nothing(0))

    @classmethod
    def of(cls, keys: Indices, columns: Sequence[Digits]) -> Table:
        """From a number for each key in every column."""
        used = [column for column in columns if len(column.planes)]
        if not used:
            return cls.empty(len(columns))
        low, high = min(column.low for column in used), max(column.high for column in used)
        planes = np.zeros((high - low, len(keys), len(columns)), np.uint32)
        for place, column in enumerate(columns):
            if len(column.planes):
                planes[column.low - low : column.high - low, :, place] = column.planes
        rows = planes.any(axis=(0, 2))
        if not rows.all():
            keys, planes = keys[rows], planes[:, rows]
        return cls(keys, len(columns), Digits(low, planes.reshape(high - low, -1)))

    def column(self, place: int) -> Digits:
        """One of them; its window may be wider than it needs."""
        return Digits(self.digits.low, self.digits.planes[:, place :: self.columns])

    def rows(self, chosen: Indices | slice) -> Table:
        """Some of its rows; the window may be wider than they need."""
        keys, cube = self.keys[chosen], self._cube()[:, chosen]
        return Table(
            keys, self.columns, Digits(self.digits.low, cube.reshape(len(cube), len(keys) * self.columns))
        )

    def whole(self) -> Digits:
        """The sum of all rows, column by column."""
        return carried(self.digits.low, np.add.reduce(self._cube(), axis=1, dtype=np.int64))

    def _cube(self) -> Planes:
        return self.digits.planes.reshape(len(self.digits.planes), len(self.keys), self.columns)


def added(tables: Sequence[Table], columns: int) -> Table:
    """The sums of tables of the same columns, key by key."""
    tables = [table for table in tables if len(table.keys)]
    if len(tables) < 2:  # noqa: PLR2004  one is its own sum
        return tables[0] if tables else Table.empty(columns)
    keys = _united([table.keys for table in tables])
    low, high = min(table.digits.low for table in tables), max(table.digits.high for table in tables)
    planes = np.zeros((high - low, len(keys) * columns), np.int64)
    finder = _finder(keys)
    step = max(1, min(TOGETHER, ROWS_TOGETHER * len(tables) // sum(len(table.keys) for table in tables)))
    for start in range(0, len(tables), step):
        for alike in _by_window(tables[start : start + step]):
            first = alike[0].digits.low - low
            _add(planes[first : first + len(alike[0].digits.planes)], alike, keys, finder, columns)
    sums = carried(low, planes)
    return Table(keys, columns, sums)


def _add(
    planes: Integers, tables: Sequence[Table], keys: Indices, finder: Indices | None, columns: int
) -> None:
    """Add tables of one window to the planes of that window."""
    if all(len(table.keys) == len(keys) for table in tables):  # as many as there are in all: the same
        stacked = np.stack([table.digits.planes for table in tables])
        planes += np.add.reduce(stacked, axis=0, dtype=np.int64)
        return
    sent = np.concatenate([table.keys for table in tables])
    rows = np.searchsorted(keys, sent) if finder is None else finder[sent]
    joined = np.concatenate([table.digits.planes for table in tables], axis=1)
    for plane, digits in zip(planes, joined, strict=True):
        for column in range(columns):
            of_column = digits[column::columns]
            if of_column.any():  # below 2⁵³, so exact
                plane[column::columns] += np.bincount(rows, of_column, len(keys)).astype(np.int64)


def _by_window(tables: Iterable[Table]) -> list[list[Table]]:
    alike: dict[tuple[int, int], list[Table]] = {}
    for table in tables:
        alike.setdefault((table.digits.low, len(table.digits.planes)), []).append(table)
    return list(alike.values())


def _united(every: Sequence[Indices]) -> Indices:
    """All keys that occur, ascending."""
    largest = max(int(keys[-1]) for keys in every)
    if largest < DENSE:
        occurs = np.zeros(largest + 1, np.bool_)
        for start in range(0, len(every), TOGETHER):
            occurs[np.concatenate(every[start : start + TOGETHER])] = True
        return np.flatnonzero(occurs)
    united = np.zeros(0, np.intp)
    for start in range(0, len(every), TOGETHER):
        united = np.union1d(united, np.concatenate(every[start : start + TOGETHER]))
    return united


def _finder(keys: Indices) -> Indices | None:
    """The row of each key, where they are few enough to be looked up."""
    if keys[-1] >= DENSE:
        return None
    finder = np.zeros(int(keys[-1]) + 1, np.intp)
    finder[keys] = np.arange(len(keys))
    return finder
