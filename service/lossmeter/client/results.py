"""What calls return that the engine has no result for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lossmeter.engine import KLBreakdown
from lossmeter.engine.arrays import Floats, Vector
from lossmeter.engine.options import Reduction, Unit


@dataclass(frozen=True, slots=True)
class Health:
    """What the server says of itself.

    Attributes:
        ready: whether it takes requests.
        status: ``ok``, or why it does not: ``starting``, ``stopping``.
    """

    ready: bool
    status: str


class Answer(dict[str, Any]):
    """A document whose members are attributes as well: ``answer.metrics.accuracy``; its arrays are NumPy's."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the server answers
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the answer has no {name!r}; it has {', '.join(self)}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The answer to a scoring; None stands for a part that was not asked for.

    Attributes:
        loss: the reduced loss; None with reduction "none".
        reduction: how it was reduced.
        unit: of every loss, entropy, divergence and gradient here, but for those in ``state``.
        denominator: what a mean is divided by, whatever the reduction.
        count: rows that were scored.
        ignored: rows that were ignored.
        class_weights: ``Float[classes]``, if any were used.
        losses: ``Float[n]``, weighted, unreduced.
        gradients: of ``loss`` (of the sum with reduction "none"), in the shape of the array as sent.
        kl: the KL breakdown.
        contributions: t log(t/p), in the shape of the array as sent.
        probabilities: in the shape of the array as sent.
        state: what adds up with that of other batches, as text to be stored and sent back.
        slices: by dimension and value, count, weight, loss and more.
    """

    loss: float | None
    reduction: Reduction
    unit: Unit
    denominator: float
    count: int
    ignored: int
    class_weights: Vector | None
    losses: Vector | None
    gradients: Floats | None
    kl: KLBreakdown | None
    contributions: Floats | None
    probabilities: Floats | None
    state: str | None
    slices: Mapping[str, Mapping[str, Answer]] | None


@dataclass(frozen=True, slots=True, eq=False)
class FileBatch:
    """Some rows of a file, scored.

    Attributes:
        start: the place of the first of them in the file, from 0.
        rows: all their columns, a ``pyarrow.RecordBatch``.
        scores: their scores; ``loss`` and ``gradients`` are those of the sum, for the mean is not known before the end.
    """

    start: int
    rows: Any
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class FileScores:
    """What the rows of a file come to.

    Attributes:
        loss: the reduced loss; None with reduction "none".
        reduction: how it was reduced.
        unit: of the loss and of ``kl_by_class``.
        denominator: what a mean is divided by, whatever the reduction.
        count: rows that were scored.
        ignored: rows that were ignored.
        class_weights: ``Float[classes]``, if any were used.
        kl_by_class: ``Float[classes]``, the share of the mean KL that falls on each true class, if ``kl`` is included.
        state: of all rows, if it is included.
    """

    loss: float | None
    reduction: Reduction
    unit: Unit
    denominator: float
    count: int
    ignored: int
    class_weights: Vector | None
    kl_by_class: Vector | None
    state: str | None
