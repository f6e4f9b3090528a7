"""The evidence for metrics that the sums of a state hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.evidence import FORECAST_CLASSES, Evidence, Groups
from lossmeter.engine.state.layout import TABLES, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Matrix, Vector
    from lossmeter.engine.evidence import Rows
    from lossmeter.engine.state.tables import Table


def evidence_of(
    options: Mapping[str, Any], tables: Mapping[str, Table], rows: Rows | None = None
) -> Evidence:
    """The nearest doubles of the sums."""
    total = dict(zip(TABLES["total"], _total(tables["total"]), strict=True))
    weight, classes = total["weight"], options["classes"]

    def mean(name: str) -> float:
        return float(total[name] / weight) if weight else 0.0

    soft = bool(total["soft"])
    misses = column(tables, "classes", "certain_misses", classes)
    return Evidence(
        classes=classes,
        bins=options["bins"],
        k=options["k"],
        count=int(total["count"]),
        ignored=int(total["ignored"]),
        weight=float(weight),
        soft=soft,
        log_loss=float("inf") if total["certain_misses"] else mean("log_loss"),
        infinite=int(total["certain_misses"]),
        brier=mean("brier"),
        truth=column(tables, "classes", "weight", classes),
        forecast=column(tables, "forecasts", "forecast", classes),
        loss_of_class=np.where(misses > 0, np.inf, column(tables, "classes", "log_loss", classes)),
        top_k=float(total["top_k"]),
        groups=None if soft else _groups(tables, classes, options["bins"]),
        rows=rows,
        truth_squares=1 - mean("impurity"),
    )


def column(tables: Mapping[str, Table], table: str, name: str, size: int) -> Vector:
    """The nearest doubles of a column, by key, ``Float64[size]``."""
    spread = np.zeros(size)
    spread[tables[table].keys] = values(tables, table, name)
    return spread


def values(tables: Mapping[str, Table], table: str, name: str) -> Vector:
    """The nearest doubles of a column, row by row."""
    sums = tables[table].column(TABLES[table].index(name)).floats()
    return np.ldexp(sums, UNITS.get((table, name), 0))


def _total(table: Table) -> Vector:
    return table.digits.floats() if len(table.keys) else np.zeros(table.columns)


def _groups(tables: Mapping[str, Table], classes: int, bins: int) -> Groups:
    keys = tables["groups"].keys
    cells = tables["cells"].keys
    return Groups(
        predicted=keys // bins,
        bin=keys % bins,
        count=values(tables, "groups", "count"),
        weight=values(tables, "groups", "weight"),
        confidence=values(tables, "groups", "confidence"),
        forecast=_forecast(tables, classes),
        cell_group=np.searchsorted(keys, cells // classes),
        cell_class=cells % classes,
        cell_weight=values(tables, "cells", "weight"),
    )


def _forecast(tables: Mapping[str, Table], classes: int) -> Matrix | None:
    if classes > FORECAST_CLASSES:
        return None
    keys, sent = tables["groups"].keys, tables["group_forecasts"].keys
    spread = np.zeros((len(keys), classes))
    spread[np.searchsorted(keys, sent // classes), sent % classes] = values(
        tables, "group_forecasts", "forecast"
    )
    return spread
