"""Whether the tables of a state agree with each other, as those do that rows have left behind.

The form of a document says nothing of that. Sums that contradict each other would end in a division by zero somewhere
in a metric, so they are refused at the door. Rows add the same doubles to several tables: such sums are equal exactly.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.state.digits import BITS
from lossmeter.engine.state.layout import FORECAST_BITS, MOMENTS, TABLES
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lossmeter.engine.arrays import Mask, Vector
    from lossmeter.engine.state.tables import Table

MOST_OF_A_ROW = 2
"""What the probabilities of a row may sum to at most, whatever the tolerance."""

ROUNDING = Fraction(1, 1 << 30)
"""Shares of a soft truth are rounded before they are added up."""


def check(
    options: Mapping[str, Any], slices: Mapping[str, Sequence[str]], tables: Mapping[str, Table]
) -> None:
    """Refuse tables that no rows could have left behind.

    Raises:
        InvalidInputError: names a table that contradicts another.
    """
    total = {name: _sum(tables, "total", name) for name in TABLES["total"]}
    for name in ("total", "slices"):
        _check_moments(tables, name, clustered=options["clustered"])
    _check_losses(total, tables)
    if options["truth"] != "labels":
        _check_classes(total, options["classes"], tables)
    _check_slices(total, slices, tables)
    hard = options["truth"] != "labels" and not total["soft"]
    _check_classes_of_slices(options["classes"], tables, hard=hard)


def _check_moments(tables: Mapping[str, Table], name: str, *, clustered: bool) -> None:
    count, units, infinite = (_floats(tables, name, column) for column in ("count", "units", "infinite"))
    if (np.maximum(units, infinite) > count).any() or (not clustered and (infinite > units).any()):
        raise _contradiction(name, "there are more units, or infinite losses, than rows")
    present = {column: _present(tables, name, column) for column in MOMENTS}
    weighted = present["units"] & present["w"] & present["ww"] & present["www"]
    if any((present[column] & ~weighted).any() for column in MOMENTS[2:]):
        raise _contradiction(name, "there are losses without a weight")


def _check_losses(total: Mapping[str, Fraction], tables: Mapping[str, Table]) -> None:
    kept = _sum(tables, "losses", "weight")
    if kept > total["weight"] or (kept < total["weight"] and not total["infinite"]):
        raise _contradiction("losses", "their weight is not that of the rows")


def _check_classes(total: Mapping[str, Fraction], classes: int, tables: Mapping[str, Table]) -> None:
    for name in ("count", "weight"):
        if _sum(tables, "groups", name) != total[name]:
            raise _contradiction("groups", f"their {name} is not that of the rows")
    for name in ("cells", "group_forecasts"):
        if not np.isin(tables[name].keys // classes, tables["groups"].keys).all():
            raise _contradiction(name, "there are some of groups without a row")
    for name in ("classes", "cells") if not total["soft"] else ("classes",):
        if abs(_sum(tables, name, "weight") - total["weight"]) > total["weight"] * ROUNDING:
            raise _contradiction(name, "their weight is not that of the rows")
    forecast = _sum(tables, "forecasts", "forecast") / 2**FORECAST_BITS
    if bool(forecast) != bool(total["weight"]) or forecast > MOST_OF_A_ROW * total["weight"]:
        raise _contradiction("forecasts", "they are not those of so much weight")


def _check_slices(
    total: Mapping[str, Fraction], slices: Mapping[str, Sequence[str]], tables: Mapping[str, Table]
) -> None:
    start, keys = 0, tables["slices"].keys
    for dimension, values in slices.items():
        rows = slice(*np.searchsorted(keys, (start, start + len(values))).tolist())
        for name in ("count", "weight"):
            if _sum(tables, "slices", name, rows) != total[name]:
                raise _contradiction("slices", f"the {name} of those of {dimension} is not that of the rows")
        start += len(values)


def _check_classes_of_slices(classes: int, tables: Mapping[str, Table], *, hard: bool) -> None:
    """Rows whose truth is shared have no class here."""
    keys, weights = tables["slices"].keys, _floats(tables, "slices", "weight")
    of_slice = tables["slice_classes"].keys // classes
    if not np.isin(of_slice, keys).all():
        raise _contradiction("slice_classes", "there are some of slices without a row")
    found = np.bincount(
        np.searchsorted(keys, of_slice), _floats(tables, "slice_classes", "weight"), minlength=len(keys)
    )
    apart = found - weights if not hard else np.abs(found - weights)
    if (apart > weights * float(ROUNDING)).any():
        raise _contradiction("slice_classes", "their weight is not that of the slice")


def _present(tables: Mapping[str, Table], table: str, name: str) -> Mask:
    """Where a column is not 0, however small."""
    return np.any(tables[table].column(TABLES[table].index(name)).planes, axis=0)


def _floats(tables: Mapping[str, Table], table: str, name: str) -> Vector:
    """The nearest doubles of a column, in its own units."""
    return tables[table].column(TABLES[table].index(name)).floats()


def _sum(tables: Mapping[str, Table], table: str, name: str, rows: slice = slice(None)) -> Fraction:
    """Σ of a column over some rows, exactly."""
    found, place = tables[table], TABLES[table].index(name)
    cube = found.digits.planes.reshape(len(found.digits.planes), len(found.keys), found.columns)
    planes = np.add.reduce(cube[:, rows, place], axis=1, dtype=np.uint64).tolist()
    whole = sum(plane << BITS * number for number, plane in enumerate(planes))
    return whole * Fraction(2) ** (BITS * found.digits.low)


def _contradiction(table: str, detail: str) -> InvalidInputError:
    return InvalidInputError.at(
        "tables", table, detail=f"tables that agree with each other are wanted: {detail}"
    )
