"""Rows in bins of a probability: of equal width, the same for everyone, or of equal mass, cut at quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Vector
from lossmeter.engine.metrics.base import groups_of, once, rows_of
from lossmeter.engine.numerics import sums_by

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices
    from lossmeter.engine.evidence import Evidence, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bins that hold any weight, from low to high; each ``Float[bins that do]``.

    Attributes:
        lower: the edge below, which belongs to the bin before; 0 belongs to the first.
        upper: the edge above, which belongs to the bin.
        count: rows.
        weight: Σ w.
        confidence: the mean confidence.
        accuracy: the share of rows that are of the predicted class.
    """

    lower: Vector
    upper: Vector
    count: Vector
    weight: Vector
    confidence: Vector
    accuracy: Vector


@once
def top_label_bins(evidence: Evidence) -> Bins:
    """The rows by the probability of their predicted class.

    Raises:
        Undefined: the truth is soft, or bins of equal mass are wanted of a state.
    """
    if evidence.binning != "equal_width":
        return _of_rows(rows_of(evidence), evidence.bins)
    groups, bins = groups_of(evidence), evidence.bins
    of_cell = groups.bin[groups.cell_group]
    hit = groups.predicted[groups.cell_group] == groups.cell_class
    return _means(
        equal_width(bins),
        count=sums_by(groups.bin, groups.count, bins),
        weight=sums_by(of_cell, groups.cell_weight, bins),
        confidence=sums_by(groups.bin, groups.confidence, bins),
        hits=sums_by(of_cell[hit], groups.cell_weight[hit], bins),
    )


def equal_width(bins: int) -> Vector:
    """The edges 0, 1/bins … 1, correctly rounded."""
    return np.arange(bins + 1) / bins


def equal_mass(values: Vector, weights: Vector | None, bins: int) -> Vector:
    """Edges between which lies the same weight, as nearly as equal values, which stay together, allow.

    Edge k is the smallest value with at least k/bins of the weight at or below it; the outer ones are 0 and 1. Edges
    that coincide are one, so that there may be fewer bins. Multiples are compared, not quotients: of whole weights the
    edges are exact.
    """
    order = np.argsort(values)
    if weights is None:
        reached = np.arange(1.0, len(values) + 1)
    else:  # over a power of two, which rounds nothing, so that the multiples stay within the doubles
        reached = np.cumsum(np.ldexp(weights[order], -np.frexp(weights.max())[1]))
    at = np.searchsorted(reached * bins, reached[-1] * np.arange(1, bins), side="left")
    inner = np.unique(values[order[np.minimum(at, len(values) - 1)]])
    return np.concatenate(([0.0], inner[(inner > 0) & (inner < 1)], [1.0]))


def places(values: Vector, edges: Vector) -> Indices:
    """The bin of each value, ``Int[n]``: bin k is (edge k, edge k+1]."""
    return np.searchsorted(edges[1:-1], values, side="left")


def confidences(rows: Rows) -> Vector:
    """The probability of the predicted class, ``Float[n]``."""
    return rows.probabilities[np.arange(len(rows.predicted)), rows.predicted]


def _of_rows(rows: Rows, bins: int) -> Bins:
    confidence = confidences(rows)
    edges = equal_mass(confidence, rows.weights, bins)
    place, size = places(confidence, edges), len(edges) - 1
    weights = np.ones(len(place)) if rows.weights is None else rows.weights
    hit = rows.predicted == rows.targets
    return _means(
        edges,
        count=sums_by(place[weights > 0], None, size),
        weight=sums_by(place, weights, size),
        confidence=sums_by(place, weights * confidence, size),
        hits=sums_by(place[hit], weights[hit], size),
    )


def _means(edges: Vector, *, count: Vector, weight: Vector, confidence: Vector, hits: Vector) -> Bins:
    """Sums become means; a mean confidence lies in its bin whatever the rounding."""
    held = np.flatnonzero(weight > 0)
    lower, upper = edges[:-1][held], edges[1:][held]
    return Bins(
        lower=lower,
        upper=upper,
        count=count[held],
        weight=weight[held],
        confidence=np.clip(confidence[held] / weight[held], lower, upper),
        accuracy=hits[held] / weight[held],
    )
