"""What predictions are like, whatever they are scored by: how unsure, how confident, how often right.

For monitoring: sums in plain double precision, in one pass over the predictions. The metrics of ``measure`` say the
same and more, to the last digit, at several times the cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING, Final

import numpy as np

from lossmeter.engine import blocks

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Indices, Matrix, Vector
    from lossmeter.engine.blocks import Rows

FEW_NUMBERS: Final = 64
"""Up to so many are judged one by one: two dozen calls of NumPy cost more."""

FEW_CLASSES: Final = 64
"""With fewer, a block is turned, so that reductions run across rows."""

_VANISHED: Final = -100.0
"""e to this changes no sum that has a 1 in it, and times this it is no NaN, as −∞ would be."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Sums over rows.

    Attributes:
        rows: how many.
        entropy: Σ −Σ_c p_c log p_c, nats.
        confidence: Σ max_c p_c.
        classified: rows whose truth is one class.
        correct: those of them whose largest prediction, the first of equals, is that class.
    """

    rows: int
    entropy: float
    confidence: float
    classified: int
    correct: int


def judge(  # noqa: PLR0913  - what was scored, in its parts
    kind: str,
    predictions: Floats,
    targets: Floats,
    *,
    ignore_index: int | None = None,
    temperature: float = 1.0,
    threads: int | None = None,
) -> Judgement:
    """Judge a batch that has been scored, so nothing is checked.

    Args:
        kind: ``"logits"``, ``"probabilities"`` or ``"log_probabilities"``.
        predictions: ``Float[n, classes]``, or ``Float[n]`` of the second of two classes.
        targets: ``Int[n]``, or shares in the shape of the predictions.
        ignore_index: rows with this target are left out.
        temperature: of the logits.
        threads: how many may work; None for one per core.
    """
    truth = _truth(targets, predictions.ndim)
    if ignore_index is not None and targets.ndim == 1:
        kept = targets != ignore_index
        if not kept.all():
            predictions, truth = predictions[kept], truth[kept]
    matrix = predictions if predictions.ndim > 1 else _two_columns(kind, predictions)
    found: list[tuple[float, float, int]] = []

    def look(rows: Rows) -> None:
        found.append(_of_block(kind, matrix[rows], truth[rows], temperature))

    if matrix.size <= FEW_NUMBERS:
        found.append(_of_few(kind, matrix.tolist(), truth.tolist(), temperature))
    elif len(matrix):
        blocks.run(matrix.shape, look, threads)
    entropies, confidences, correct = zip(*found, strict=True) if found else ((), (), ())
    classified = int(np.count_nonzero(truth >= 0))
    return Judgement(len(matrix), sum(entropies), sum(confidences), classified, sum(correct))


def _of_few(
    kind: str, rows: list[list[float]], truth: list[int], temperature: float
) -> tuple[float, float, int]:
    """Entropy, confidence and correct rows of some numbers."""
    entropy, confidence, correct = 0.0, 0.0, 0
    for row, true in zip(rows, truth, strict=True):
        top = max(row)
        correct += row.index(top) == true
        if kind == "probabilities":
            confidence += top
            entropy -= sum(p * math.log(p) for p in row if p)
            continue
        below = [max((x - top) / temperature, _VANISHED) for x in row]
        shares = [math.exp(x) for x in below]
        whole = sum(shares)
        confidence += 1 / whole
        entropy += math.log(whole) - sum(map(mul, shares, below)) / whole
    return entropy, confidence, correct


def _of_block(kind: str, block: Matrix, truth: Indices, temperature: float) -> tuple[float, float, int]:
    """Entropy, confidence and correct rows of a block."""
    few = block.shape[1] < FEW_CLASSES and len(block) > FEW_CLASSES
    axis, x = (0, np.ascontiguousarray(block.T)) if few else (1, block)
    if axis:
        predicted = np.argmax(x, axis=1)
        top = x[np.arange(len(x)), predicted][:, None]
        correct = int(np.count_nonzero(predicted == truth))
    else:
        top = np.maximum.reduce(x, axis=0, keepdims=True)
        correct = _correct(x, top, truth)
    if kind == "probabilities":
        terms = np.log(np.maximum(x, np.finfo(x.dtype).tiny))
        return -_total(np.multiply(terms, x, out=terms)), _total(top), correct
    below = np.subtract(x, top)
    if temperature != 1:
        below /= below.dtype.type(temperature)
    below = np.maximum(below, below.dtype.type(_VANISHED), out=below)
    shares = np.exp(below)
    whole = np.add.reduce(shares, axis=axis)
    spread = np.add.reduce(np.multiply(shares, below, out=below), axis=axis) / whole
    return _total(np.log(whole) - spread), _total(1 / whole), correct


def _total(values: Floats) -> float:
    return float(np.add.reduce(values, axis=None, dtype=np.float64))


def _correct(by_class: Matrix, top: Matrix, truth: Indices) -> int:
    """Rows whose true class has the largest value; of equals, the first has it.

    Args:
        by_class: ``Float[classes, n]``.
        top: ``Float[1, n]``, the largest values.
        truth: ``Int[n]``, or −1 where it is no one class, which is never right.
    """
    right = (by_class[truth, np.arange(len(truth))] == top[0]) & (truth >= 0)
    largest = by_class == top
    if np.count_nonzero(largest) > len(truth):
        tied = np.flatnonzero(np.count_nonzero(largest, axis=0) > 1)
        right[tied] &= np.argmax(largest[:, tied], axis=0) == truth[tied]
    return int(np.count_nonzero(right))


def _truth(targets: Floats, rank: int) -> Indices:
    """The true class of each row, −1 where it is a distribution."""
    if targets.ndim > 1:
        return np.where(np.max(targets, axis=1) == 1, np.argmax(targets, axis=1), -1)
    classes: Indices = targets.astype(np.intp)
    return np.where(classes == targets, classes, -1) if rank == 1 else classes


def _two_columns(kind: str, predictions: Vector) -> Matrix:
    """Of two classes, where that of the second was sent alone."""
    if kind == "logits":
        first = np.zeros_like(predictions)
    elif kind == "probabilities":
        first = 1 - predictions
    else:
        with np.errstate(divide="ignore"):
            first = np.log1p(-np.exp(predictions))
    return np.stack([first, predictions], axis=1)
