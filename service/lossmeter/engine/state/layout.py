"""Which sums a state keeps: its tables, their columns and their keys.

Sums are over rows that are not ignored, w is a row's weight v Σ_c w_c t_c, y its weighted loss in nats, p its
probabilities and t its truth as sent. Products are rounded once per row to a double; their sums are exact. A
probability enters a sum as a multiple of a power of two (``UNITS``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lossmeter.engine.evidence import FORECAST_CLASSES
from lossmeter.engine.state.buckets import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
"""Of the layout: what another version wrote is refused."""

MOST_CLASSES = 1 << 20
MOST_BINS = 1000
MOST_DIMENSIONS = 16
MOST_VALUES = 10_000
"""Of all dimensions of slices together; a state refuses more, a report shows fewer."""
LONGEST_NAME = 200
"""Characters of a dimension or of a value."""

MOMENTS = ("units", "infinite", "w", "y", "ww", "wy", "yy", "www", "wwy", "wyy", "yyy")
"""Sums over units (rows of positive weight, or clusters of them) of w^a y^b; infinite losses are counted alone."""

JUDGED = ("count", "weight", "log_loss", "certain_misses", "brier", "correct", "top_k", "confidence")
"""Sums over rows: how many, w, w H(t,p) where it is finite, how many where not, w Brier, w of hits, w · confidence."""

TOTAL = (*JUDGED, "ignored", "soft", "impurity", *MOMENTS)
"""Also rows that are ignored, rows whose truth is shared among classes, and of these w (1 − Σ_c t_c²)."""
SLICES = (*JUDGED, *MOMENTS)

WHOLE = frozenset({"units", "infinite", "count", "certain_misses", "ignored", "soft"})
"""Columns that count."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the keys of a state's tables are bounded by."""

    classes: int
    bins: int
    slices: int

    @property
    def groups(self) -> int:
        """Pairs of a predicted class and a bin of its confidence: class · bins + bin."""
        return self.classes * self.bins


TABLES: Mapping[str, tuple[str, ...]] = {
    "total": TOTAL,
    "classes": ("count", "certain_misses", "weight", "loss", "squared_loss", "log_loss"),
    "forecasts": ("forecast",),
    "groups": ("count", "weight", "confidence"),
    "cells": ("weight",),
    "group_forecasts": ("forecast",),
    "losses": ("weight",),
    "slices": SLICES,
    "slice_classes": ("weight", "loss"),
}
"""The columns of every table.

* total: key 0.
* classes: by class, its share of the rows' truth: w t_c, and of their losses y t_c, y² t_c and w t_c (−log p_c); rows
  are counted where a single class is true. Of labels: v t.
* forecasts: by class, w p_c.
* groups: by predicted class and bin of its confidence.
* cells: by group · classes + true class, of rows of which a single class is true.
* group_forecasts: by group · classes + class, w p_c; up to ``FORECAST_CLASSES``.
* losses: by the bucket of the loss before weights, w.
* slices: by slice, numbered as the names are sorted.
* slice_classes: by slice · classes + class, w t_c and y t_c.
"""

FORECAST_BITS = 50
"""Probabilities are summed as multiples of 2^−50."""

UNITS: Mapping[tuple[str, str], int] = {
    ("forecasts", "forecast"): -FORECAST_BITS,
    ("groups", "confidence"): -FORECAST_BITS,
    ("group_forecasts", "forecast"): -FORECAST_BITS,
}
"""Columns in units of 2 to this power, so that sums without weights are integers and need fewer digits."""


def most_keys(table: str, shape: Shape) -> int:
    """What every key of a table is below."""
    return {
        "total": 1,
        "classes": shape.classes,
        "forecasts": shape.classes,
        "groups": shape.groups,
        "cells": shape.groups * shape.classes,
        "group_forecasts": shape.groups * shape.classes if shape.classes <= FORECAST_CLASSES else 0,
        "losses": KEYS,
        "slices": shape.slices,
        "slice_classes": shape.slices * shape.classes,
    }[table]
