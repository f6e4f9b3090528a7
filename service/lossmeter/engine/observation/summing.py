"""From what was seen of every row to the tables of a state."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Indices, Mask, Vector
from lossmeter.engine.observation.powers import counts, moments, moments_known, square
from lossmeter.engine.state.buckets import KEYS, bucket_keys
from lossmeter.engine.state.digits import Accumulator, Digits
from lossmeter.engine.state.exact import MANY_SUMS, exact_sums
from lossmeter.engine.state.layout import FORECAST_BITS, JUDGED, MOMENTS, SLICES, TABLES
from lossmeter.engine.state.tables import Table, added

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lossmeter.engine.observation.slicing import Dimension
    from lossmeter.engine.observation.watcher import Watcher

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of each row that counts, ``[rows]`` each.

    Attributes:
        w: weights; None where all are 1.
        y: weighted losses, nats; 0 without weight.
        log_loss: w H(t, p).
        brier: before weights.
        confidence: of the predicted class.
        group: predicted class · bins + bin of the confidence.
        correct: whether the only true class is the predicted one.
        hit: whether the truth is among the k most probable.
        truth: the true class.
        soft: whether it is not a single one; None where none is.
        cluster: the number of its cluster; None where there are none.
    """

    w: Vector | None
    y: Vector
    log_loss: Vector
    brier: Vector
    confidence: Vector
    group: Indices
    correct: Mask
    hit: Mask
    truth: Indices
    soft: Mask | None
    cluster: Indices | None

    def weighted(self, values: Vector) -> Vector:
        """Those of a row times its weight."""
        return values if self.w is None else self.w * values

    @property
    def hard(self) -> Mask | None:
        """Rows of a single true class; None where all are."""
        return None if self.soft is None else ~self.soft


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted of the rows.

    Attributes:
        classes: how many there are.
        bins: of the confidence.
        truth: as in the options of a state.
        state: whether the moments, the quantiles and what else only a state has are wanted.
    """

    classes: int
    bins: int
    truth: str
    state: bool


def tables(
    seen: Seen, watcher: Watcher, plan: Plan, dimensions: list[Dimension], ignored: int
) -> dict[str, Table]:
    """All tables of a state; those that only a state has are empty where none is wanted."""
    found = {name: Table.empty(len(columns)) for name, columns in TABLES.items()}
    found["classes"] = _classes(seen, watcher, plan)
    found["forecasts"] = Table.of(np.arange(plan.classes), [watcher.forecast.digits()])
    if plan.truth != "labels":
        found["groups"], found["cells"] = _groups(seen, plan), _cells(seen, plan)
    found["total"] = _total(seen, watcher, plan, ignored, found)
    if watcher.group_forecast is not None:
        sums = watcher.group_forecast.digits()
        found["group_forecasts"] = Table.of(np.arange(sums.planes.shape[1]), [sums])
    if plan.state:
        found["losses"] = _losses(seen)
    if dimensions:
        found["slices"] = _slices(seen, dimensions)
    if dimensions and plan.state and plan.truth != "labels":
        found["slice_classes"] = _slice_classes(seen, dimensions, plan.classes)
    return found


def _judged(
    seen: Seen, keys: Indices | None, sums: int, known: Mapping[str, Digits] = MappingProxyType({})
) -> list[Digits]:
    """The columns of ``JUDGED``, by key; some may be known."""

    def counted(mask: Mask | None) -> Digits:
        idle = mask is not None and not mask.any()
        return Digits.nothing(sums) if idle else counts(mask, keys, sums, len(seen.y))

    missed = np.isinf(seen.log_loss)
    columns: dict[str, Callable[[], Digits]] = {
        "count": lambda: counted(None),
        "weight": lambda: counted(None) if seen.w is None else exact_sums(seen.w, keys, sums),
        "log_loss": lambda: exact_sums(_silenced(seen.log_loss, missed), keys, sums),
        "certain_misses": lambda: counted(missed),
        "brier": lambda: exact_sums(seen.weighted(seen.brier), keys, sums),
        "correct": lambda: _weights(seen.w, keys, sums, seen.correct),
        "top_k": lambda: _weights(seen.w, keys, sums, seen.hit),
        "confidence": lambda: exact_sums(seen.weighted(seen.confidence), keys, sums),
    }
    return [known[name] if name in known else columns[name]() for name in JUDGED]


def _silenced(values: Vector, mask: Mask) -> Vector:
    """The values, 0 where the mask is true."""
    return np.where(mask, 0, values) if mask.any() else values


def _total(seen: Seen, watcher: Watcher, plan: Plan, ignored: int, found: Mapping[str, Table]) -> Table:
    """What the other tables have summed is not summed again."""
    soft = 0 if seen.soft is None else int(np.count_nonzero(seen.soft))
    said = [Digits.of_integers(np.array([number])) for number in (ignored, soft)]
    losses, squares, log_losses = (
        found["classes"].column(TABLES["classes"].index(name)).collapsed()
        for name in ("loss", "squared_loss", "log_loss")
    )
    confidence = found["groups"].column(TABLES["groups"].index("confidence")).collapsed(-FORECAST_BITS)
    judged = _judged(seen, None, 1, {"log_loss": log_losses, "confidence": confidence})
    powers = [Digits.nothing(1)] * len(MOMENTS)
    if plan.state:
        plain = seen.w is None and seen.cluster is None and seen.soft is None and plan.truth != "labels"
        powers = moments_known(seen.y, losses, squares) if plain else _moments(seen, None, 1)
    return Table.of(np.zeros(1, np.intp), [*judged, *said, watcher.impurity.digits(), *powers])


def _moments(seen: Seen, keys: Indices | None, sums: int) -> list[Digits]:
    """Of rows, or of clusters of those of each key."""
    if seen.cluster is None:
        return moments(seen.w, seen.y, keys, sums)
    size = int(np.max(seen.cluster, initial=0)) + 1
    pairs = seen.cluster if keys is None else keys * size + seen.cluster
    different, unit = np.unique(pairs, return_inverse=True)
    of_keys = None if keys is None else different // size
    infinite = np.isinf(seen.y)
    weights = np.ones(len(seen.y)) if seen.w is None else seen.w
    sent = (weights, np.where(infinite, 0, weights), np.where(infinite, 0, seen.y))
    whole, w, y = (exact_sums(each, unit, len(different)).floats() for each in sent)
    units = moments(whole, np.zeros(len(whole)), of_keys, sums)[0]
    rows = moments(None, np.where(infinite, np.inf, 0), keys, sums)[1]
    return [units, rows, *moments(w, y, of_keys, sums)[2:]]


def _plus(first: Digits, second: Digits) -> Digits:
    both = Accumulator(first.planes.shape[1])
    both.add_digits(first)
    both.add_digits(second)
    return both.digits()


def _classes(seen: Seen, watcher: Watcher, plan: Plan) -> Table:
    classes, hard = plan.classes, seen.hard
    shares = [share.digits() for share in watcher.shares]
    if plan.truth == "labels":
        zero = Digits.nothing(classes)
        return Table.of(np.arange(classes), [zero, zero, shares[0], zero, zero, zero])
    chosen = _chosen(seen)
    truth, log_loss, y = seen.truth[chosen], seen.log_loss[chosen], seen.y[chosen]
    missed = np.isinf(log_loss)
    misses = watcher.certain_misses + (np.bincount(truth[missed], minlength=classes) if missed.any() else 0)
    surprise = exact_sums(_silenced(log_loss, missed), truth, classes)
    columns = [
        Digits.of_integers(np.bincount(truth, minlength=classes)),
        Digits.of_integers(misses),
        _plus(shares[0], _weights(seen.w, seen.truth, classes, hard)),
        Digits.nothing(classes),
        Digits.nothing(classes),
        _plus(shares[3], surprise),
    ]
    if plan.state:
        finite = _silenced(y, np.isinf(y))
        loss = surprise if np.array_equal(y, log_loss) else exact_sums(finite, truth, classes)
        columns[3] = _plus(shares[1], loss)
        columns[4] = _plus(shares[2], exact_sums(square(finite), truth, classes))
    return Table.of(np.arange(classes), columns)


def _groups(seen: Seen, plan: Plan) -> Table:
    keys, group = _compact(seen.group, plan.classes * plan.bins)
    columns = [
        Digits.of_integers(np.bincount(group, minlength=len(keys))),
        _weights(seen.w, group, len(keys)),
        exact_sums(seen.weighted(seen.confidence * 2.0**FORECAST_BITS), group, len(keys)),
    ]
    return Table.of(keys, columns)


def _cells(seen: Seen, plan: Plan) -> Table:
    cell = seen.group * plan.classes + seen.truth
    hard = _chosen(seen)
    keys, cells = _compact(cell[hard], plan.classes**2 * plan.bins)
    w = None if seen.w is None else seen.w[hard]
    return Table.of(keys, [_weights(w, cells, len(keys))])


def _losses(seen: Seen) -> Table:
    """Weights by the bucket of the loss; rows of no weight and infinite losses are in none."""
    kept = np.isfinite(seen.y) if seen.w is None else np.isfinite(seen.y) & (seen.w > 0)
    y, w = (seen.y, seen.w) if kept.all() else (seen.y[kept], None if seen.w is None else seen.w[kept])
    keys, buckets = _compact(bucket_keys(y if w is None else np.minimum(y / w, LARGEST)), KEYS)
    return Table.of(keys, [_weights(w, buckets, len(keys))])


def _slices(seen: Seen, dimensions: list[Dimension]) -> Table:
    parts, start = [], 0
    for dimension in dimensions:
        keys, count = dimension.of_rows, len(dimension.values)
        columns = [*_judged(seen, keys, count), *_moments(seen, keys, count)]
        parts.append(Table.of(np.arange(start, start + count), columns))
        start += count
    return added(parts, len(SLICES))


def _slice_classes(seen: Seen, dimensions: list[Dimension], classes: int) -> Table:
    parts, start = [], 0
    finite = _silenced(seen.y, np.isinf(seen.y))
    for dimension in dimensions:
        pairs = (start + dimension.of_rows) * classes + seen.truth
        start += len(dimension.values)
        chosen = _chosen(seen)
        keys, places = _compact(pairs[chosen], start * classes)
        w = None if seen.w is None else seen.w[chosen]
        columns = [_weights(w, places, len(keys)), exact_sums(finite[chosen], places, len(keys))]
        parts.append(Table.of(keys, columns))
    return added(parts, 2)


def _weights(w: Vector | None, keys: Indices | None, sums: int, chosen: Mask | None = None) -> Digits:
    """Σ w by key, of the rows that are chosen; None is 1, a single sum, or all."""
    if w is None:
        return counts(chosen, keys, sums)
    if chosen is not None:
        w, keys = w[chosen], None if keys is None else keys[chosen]
    return exact_sums(w, keys, sums)


def _chosen(seen: Seen) -> Indices | slice:
    """The rows of a single true class."""
    return slice(None) if seen.hard is None else np.flatnonzero(seen.hard)


def _compact(keys: Indices, limit: int) -> tuple[Indices, Indices]:
    """Keys with all that occur among them, ascending, and the place of each row's."""
    if limit <= min(MANY_SUMS, len(keys)):  # rows of zeros are left out later
        return np.arange(limit), keys
    if limit > 4 * len(keys) + (1 << 16):
        different, places = np.unique(keys, return_inverse=True)
        return different, places
    occurs = np.zeros(limit, np.bool_)
    occurs[keys] = True
    number = np.cumsum(occurs) - 1
    return np.flatnonzero(occurs), number[keys]
