"""Score a batch, and keep what it shows: evidence for metrics, a state, slices."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.binary_batch import BinaryBatch
from lossmeter.engine.class_batch import ClassBatch
from lossmeter.engine.evidence import FORECAST_CLASSES, Evidence, Rows
from lossmeter.engine.observation.binary import BinaryWatcher
from lossmeter.engine.observation.classes import ClassWatcher
from lossmeter.engine.observation.forecasts import on_grid
from lossmeter.engine.observation.slicing import Slices, clusters, dimensions
from lossmeter.engine.observation.summing import Plan, Seen, tables
from lossmeter.engine.preparation import Sent, prepared
from lossmeter.engine.reduction import reduced
from lossmeter.engine.results import Scores
from lossmeter.engine.state import Slice, State
from lossmeter.engine.state.as_evidence import evidence_of
from lossmeter.engine.state.layout import FORECAST_BITS, MOST_BINS, MOST_CLASSES
from lossmeter.engine.state.options import MOST_WEIGHT, loss_options
from lossmeter.engine.state.slices import shown
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Indices, Vector
    from lossmeter.engine.batch import Batch
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.observation.watcher import Watcher
    from lossmeter.engine.options import Options


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is to be seen.

    Attributes:
        bins: of the confidence.
        k: of top-k accuracy.
        slices: by dimension, a value for each row.
        cluster: an id for each row; rows of one are one observation. All of them must be in this batch.
        rows: whether the evidence is to carry the rows themselves, n · classes numbers.
        state: whether a state is wanted.
    """

    bins: int = 15
    k: int = 5
    slices: Slices | None = None
    cluster: Sequence[Hashable] | None = None
    rows: bool = False
    state: bool = False

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        for name, value, most in (("bins", self.bins, MOST_BINS), ("k", self.k, MOST_CLASSES)):
            if not 1 <= value <= most:
                detail = f"a whole number in 1 … {most} is wanted"
                raise InvalidInputError.at(name, detail=detail, value=value)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A batch, scored and seen.

    Attributes:
        scores: as ``score`` returns them.
        evidence: what metrics are computed from; None for ``Float[n, labels]``, whose labels are each true or not.
        state: if it is wanted.
        slices: by dimension and value; None where none were sent.
    """

    scores: Scores
    evidence: Evidence | None
    state: State | None
    slices: Mapping[str, Mapping[str, Slice]] | None


def observe(sent: Sent, loss: Loss, options: Options, wanted: Wanted, threads: int | None = None) -> Observed:
    """Score a batch in one pass that also sees everything that metrics, states and slices need.

    Args:
        sent: the arrays.
        loss: what the losses of the state are.
        options: how to score.
        wanted: what to see.
        threads: how many may work; None for one per core.

    Raises:
        InvalidInputError: what cannot be scored, sliced or kept in a state.
    """
    if wanted.state and isinstance(sent.class_weights, (str, Mapping)):
        detail = "numbers are wanted with a state: a scheme gives every batch weights of its own, which do not add up"
        raise InvalidInputError.at("class_weights", detail=detail)
    batch = prepared(sent, loss, options)
    kept = None if batch.ignored is None else np.flatnonzero(~batch.ignored)
    n = batch.shape[0]
    cut, cluster = dimensions(wanted.slices, n, kept), clusters(wanted.cluster, n, kept)
    if batch.weights.of_rows is not None and not np.max(batch.weights.of_rows) <= MOST_WEIGHT:
        raise InvalidInputError.at("sample_weights", detail="rows that weigh at most 2^900 are wanted")
    watcher, truth = _watcher(batch, wanted)
    scores = reduced(batch, sent.values.shape, options, threads, watcher)
    seen = _seen(batch, watcher, kept, cluster)
    plan = Plan(watcher.classes, wanted.bins, truth, wanted.state)
    with np.errstate(all="ignore"):  # infinities are answers here
        found = tables(seen, watcher, plan, cut, scores.ignored)
    said = _options(
        sent, loss, options, wanted, batch=batch, plan=plan, dimensions=[each.name for each in cut]
    )
    rows = None
    if watcher.probabilities is not None and truth != "labels" and seen.soft is None:
        p = watcher.probabilities
        rows = Rows(p if kept is None else p[kept], seen.truth, seen.w, seen.group // wanted.bins)
    names = {each.name: each.values for each in cut}
    return Observed(
        scores,
        None if truth == "labels" else evidence_of(said, found, rows),
        State(said, names, found) if wanted.state else None,
        None if wanted.slices is None else shown(found["slices"], names),
    )


def _watcher(batch: Batch, wanted: Wanted) -> tuple[Watcher, str]:
    """Who sees the blocks, and what kind of truth there is."""
    about: dict[str, Any] = {"bins": wanted.bins, "k": wanted.k, "rows": wanted.rows}
    if isinstance(batch, ClassBatch):
        few = batch.shape[1] <= FORECAST_CLASSES
        return ClassWatcher(batch, group_forecasts=few, **about), "classes"
    if isinstance(batch, BinaryBatch):
        truth = "binary" if batch.single else "labels"
        return BinaryWatcher(batch, group_forecasts=batch.single, **about), truth
    raise TypeError(type(batch).__name__)


def _seen(batch: Batch, watcher: Watcher, kept: Indices | None, cluster: Indices | None) -> Seen:
    """The rows that count."""

    def some(values: Any) -> Any:  # noqa: ANN401  an array in, an array out
        return values if kept is None else values[kept]

    indices, soft = watcher.truths()
    y = some(watcher.losses)
    if len(y) and not np.min(y) >= 0:
        raise InvalidInputError.at("loss", detail="losses of at least 0 are wanted to be added up")
    weights = _weights(some, batch)
    soft = None if soft is None else some(soft)
    return Seen(
        w=weights,
        y=y,
        log_loss=some(watcher.log_loss),
        brier=some(watcher.brier),
        confidence=on_grid(some(watcher.confidence), FORECAST_BITS),
        group=some(watcher.group),
        correct=some(watcher.correct),
        hit=some(watcher.hit),
        truth=some(indices),
        soft=soft if soft is not None and soft.any() else None,
        cluster=cluster,
    )


def _weights(some: Any, batch: Batch) -> Vector | None:  # noqa: ANN401  as above
    """Of the rows that count; None where all are 1."""
    if batch.weights.of_rows is None:
        return None
    weights: Vector = some(batch.weights.of_rows)
    return None if (weights == 1).all() else np.ascontiguousarray(weights)


def _options(  # noqa: PLR0913  what a state says about itself
    sent: Sent,
    loss: Loss,
    options: Options,
    wanted: Wanted,
    *,
    batch: Batch,
    plan: Plan,
    dimensions: list[str],
) -> dict[str, Any]:
    """By the names of ``state.options.FIELDS``."""
    weights = batch.weights.of_classes
    return {
        "loss": loss_options(loss),
        "classes": plan.classes,
        "truth": plan.truth,
        "class_weights": None if weights is None else weights.astype(np.float64).tolist(),
        "label_smoothing": options.label_smoothing,
        "ignore_index": sent.ignore_index,
        "temperature": options.temperature,
        "epsilon": options.epsilon,
        "bins": wanted.bins,
        "k": wanted.k,
        "clustered": wanted.cluster is not None,
        "slices": dimensions,
    }
