"""Evidence made the slow way: one row at a time, sums in fractions, so that nothing but the definitions is in it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lossmeter.engine.evidence import Binning, Evidence, Groups, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable


def exact_sum(terms: Iterable[float]) -> float:
    """Σ terms ≥ 0, correctly rounded."""
    numbers = [float(term) for term in terms]
    if any(map(math.isinf, numbers)):
        return math.inf
    return float(sum(map(Fraction, numbers), Fraction()))


def bin_of(confidence: float, bins: int) -> int:
    """The first bin whose upper edge is not exceeded."""
    return next(k for k in range(bins) if confidence <= (k + 1) / bins)


@dataclass
class _Group:
    """A group while its rows are added."""

    rows: int = 0
    weights: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    forecasts: list[NDArray[np.float64]] = field(default_factory=list)
    cells: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))


def observed(
    probabilities: Any,  # noqa: ANN401  anything that numpy reads
    targets: Any,  # noqa: ANN401
    weights: Any = None,  # noqa: ANN401
    *,
    bins: int = 15,
    k: int = 5,
    binning: Binning = "equal_width",
    kept: bool = True,
) -> Evidence:
    """The evidence of a batch of ``Float[n, classes]``.

    Args:
        probabilities: rows that sum to 1.
        targets: ``Int[n]``, or ``Float[n, classes]`` for soft truths.
        weights: ``Float[n]``; None for 1 each.
        bins: of the confidence.
        k: of ``top_k``.
        binning: of metrics of confidence.
        kept: whether the rows are; False for the evidence of a state.
    """
    p, sent = np.asarray(probabilities, float), np.asarray(targets)
    n, classes = p.shape
    w = np.ones(n) if weights is None else np.asarray(weights, float)
    truth = np.eye(classes)[sent] if sent.ndim == 1 else sent
    soft = bool(((truth > 0) & (truth < 1)).any())
    hard = np.argmax(truth, axis=1)
    predicted = np.argmax(p, axis=1)
    weight = exact_sum(w)
    with np.errstate(divide="ignore"):
        costs = [
            -math.fsum(truth[i, c] * np.log(p[i, c]) for c in np.flatnonzero(truth[i])) for i in range(n)
        ]
    losses = [0.0 if w[i] == 0 else w[i] * costs[i] for i in range(n)]

    def mean(terms: Iterable[float]) -> float:
        return exact_sum(terms) / weight if weight else 0.0

    rank = [
        sum(p[i, c] > p[i, hard[i]] or (p[i, c] == p[i, hard[i]] and c < hard[i]) for c in range(classes))
        for i in range(n)
    ]
    return Evidence(
        classes=classes,
        bins=bins,
        k=k,
        count=n,
        ignored=0,
        weight=weight,
        soft=soft,
        log_loss=mean(losses),
        infinite=sum(map(math.isinf, losses)),
        brier=mean(w[i] * float(((p[i] - truth[i]) ** 2).sum()) for i in range(n)),
        truth=np.array([exact_sum(w * truth[:, c]) for c in range(classes)]),
        forecast=np.array([exact_sum(w * p[:, c]) for c in range(classes)]),
        loss_of_class=np.array(
            [
                exact_sum(-w[i] * truth[i, c] * np.log(p[i, c]) for i in range(n) if w[i] * truth[i, c])
                for c in range(classes)
            ]
            if all(map(math.isfinite, losses))
            else np.full(classes, math.inf)
        ),
        top_k=exact_sum(w[i] for i in range(n) if rank[i] < k),
        groups=None if soft else _groups(p, hard, predicted, w, bins),
        rows=Rows(p, hard, None if weights is None else w, predicted) if kept and not soft else None,
        truth_squares=mean(w[i] * float((truth[i] ** 2).sum()) for i in range(n)) if soft else 1.0,
        binning=binning,
    )


def _groups(
    p: NDArray[np.float64],
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    w: NDArray[np.float64],
    bins: int,
) -> Groups:
    found: defaultdict[tuple[int, int], _Group] = defaultdict(_Group)
    for i in range(len(p)):
        confidence = float(p[i, predicted[i]])
        group = found[int(predicted[i]), bin_of(confidence, bins)]
        group.rows += 1
        group.weights.append(w[i])
        group.confidences.append(w[i] * confidence)
        group.forecasts.append(w[i] * p[i])
        group.cells[int(truth[i])].append(w[i])
    keys = sorted(found)
    cells = [(g, c) for g, key in enumerate(keys) for c in sorted(found[key].cells)]
    return Groups(
        predicted=np.array([key[0] for key in keys]),
        bin=np.array([key[1] for key in keys]),
        count=np.array([float(found[key].rows) for key in keys]),
        weight=np.array([exact_sum(found[key].weights) for key in keys]),
        confidence=np.array([exact_sum(found[key].confidences) for key in keys]),
        forecast=np.array(
            [[exact_sum(column) for column in np.transpose(found[key].forecasts)] for key in keys]
        ),
        cell_group=np.array([g for g, _ in cells]),
        cell_class=np.array([c for _, c in cells]),
        cell_weight=np.array([exact_sum(found[keys[g]].cells[c]) for g, c in cells]),
    )
