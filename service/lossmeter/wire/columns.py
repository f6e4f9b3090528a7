"""Which Arrow columns are which of the contract's arrays.

``logits`` (or ``probabilities``, ``log_probabilities``) as lists of one length or as a column per class
(``logits_0``, ``logits_1`` … or ``logits.0`` …), ``target``, perhaps ``sample_weight``; what else there is goes
with the rows into an Arrow answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from lossmeter.errors import InvalidInputError, Problem
from lossmeter.wire.column_values import numbers, stacked, texts
from lossmeter.wire.piece import Groups

if TYPE_CHECKING:
    from collections.abc import Sequence


SPELLINGS: Final = {
    "logits": "logits",
    "probabilities": "probabilities",
    "log_probabilities": "log_probabilities",
    "target": "targets",
    "targets": "targets",
    "sample_weight": "sample_weights",
    "sample_weights": "sample_weights",
}
"""The contract's array for each name that a column may have."""

NO_GROUPS: Final = Groups()

_PER_CLASS: Final = re.compile(r"(.+?)[_.](0|[1-9][0-9]*)")


class Layout:
    """Which columns of a schema are which array, and which are only carried along.

    Attributes:
        carried: the names of the columns that are nothing to us.
    """

    def __init__(self, schema: pa.Schema, groups: Groups = NO_GROUPS) -> None:
        self._groups = groups
        self._arrays: dict[str, str | list[str]] = {}
        self.carried: list[str] = []
        for name in schema.names:
            self._place(name)
        if len(set(schema.names)) < len(schema.names):
            raise InvalidInputError.at(detail="two columns have the same name")
        for field in schema:
            _check_type(field)
        for name, columns in self._arrays.items():
            if isinstance(columns, list):
                self._check_classes(name, columns)
        for option, name in [*(("slices", name) for name in groups.slices), ("cluster", groups.cluster)]:
            if name is not None and name not in schema.names:
                raise InvalidInputError.at(option, detail=f"there is no column {name[:64]}")

    def arrays(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """The contract's arrays in a batch, and the texts that rows are grouped by.

        Raises:
            InvalidInputError: names the column and the row.
        """
        return {
            name: numbers(batch.column(columns), columns)
            if isinstance(columns, str)
            else stacked([(column, batch.column(column)) for column in columns], batch.num_rows)
            for name, columns in self._arrays.items()
        } | self._grouped(batch)

    @property
    def arrays_of(self) -> list[str]:
        """The names of the columns that are numbers."""
        return [
            name
            for columns in self._arrays.values()
            for name in ([columns] if isinstance(columns, str) else columns)
        ]

    @property
    def used(self) -> list[str]:
        """The names of the columns that are read."""
        return self.arrays_of + [
            name for name in (*self._groups.slices, self._groups.cluster) if name is not None
        ]

    def _grouped(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """The columns of the groups: texts, of the cluster also integers."""
        slices = {name: texts(batch.column(name), name) for name in self._groups.slices}
        found: dict[str, Any] = {"slices": slices} if slices else {}
        if (name := self._groups.cluster) is not None:
            column = batch.column(name)
            is_number = pa.types.is_integer(column.type)
            found["cluster"] = (numbers if is_number else texts)(column, name)
        return found

    def renamed(self, problem: Problem) -> Problem:
        """A problem with an array as one with its column."""
        columns = self._arrays.get(str(problem.path[0])) if problem.path else None
        match columns, problem.path:
            case str(), (_, *rest):
                return Problem((columns, *rest), problem.detail, problem.value)
            case list(), (_, row, int(place)) if place < len(columns):
                return Problem((columns[place], row), problem.detail, problem.value)
        return problem

    def _place(self, name: str) -> None:
        found = _PER_CLASS.fullmatch(name)
        array = SPELLINGS.get(name) or (SPELLINGS.get(found[1]) if found else None)
        if array is None:
            self.carried.append(name)
        elif name in SPELLINGS:
            if array in self._arrays:
                raise InvalidInputError.at(name, detail=f"is there beside another column that says {array}")
            self._arrays[array] = name
        else:
            others = self._arrays.setdefault(array, [])
            if isinstance(others, str):
                raise InvalidInputError.at(
                    name, detail=f"is there beside the column {others}; one of the two is wanted"
                )
            others.append(name)

    def _check_classes(self, array: str, columns: list[str]) -> None:
        """The columns in the order of their classes, whatever theirs was; none may be missing."""
        columns.sort(key=_class)
        for place, name in enumerate(columns):
            if _class(name) != place:
                raise InvalidInputError.at(
                    name,
                    detail=f"is column {place} of {array}; expected one for every class, numbered from 0",
                )


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The arrays of several batches, one behind the other."""
    if len(parts) < 2:  # noqa: PLR2004 - a single one is not copied
        return dict(*parts)
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def _joined(name: str, parts: Sequence[Any]) -> Any:  # noqa: ANN401 - arrays, texts, or texts by dimension
    if isinstance(parts[0], dict):
        return joined(parts)
    if isinstance(parts[0], list):
        return [text for part in parts for text in part]
    if len({part.shape[1:] for part in parts}) > 1:
        raise InvalidInputError.at(name, detail="has lists of different lengths in different batches")
    return np.concatenate(parts)


def _class(name: str) -> int:
    return int(re.split("[_.]", name)[-1])


def _check_type(field: pa.Field) -> None:
    """Dictionaries come in messages of their own; extensions and unions say nothing to a scorer."""
    kind = field.type
    if pa.types.is_dictionary(kind) or pa.types.is_union(kind) or isinstance(kind, pa.BaseExtensionType):
        raise InvalidInputError.at(
            field.name, detail=f"has the type {kind}, which is not taken; cast it to a plain one"
        )
