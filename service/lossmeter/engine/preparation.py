"""From what was sent to a batch that can be scored: everything that can be refused before the arithmetic, is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from lossmeter.engine.arrays import Floats, floats
from lossmeter.engine.binary_batch import BinaryBatch
from lossmeter.engine.binary_predictions import (
    BinaryLogits,
    BinaryLogProbabilities,
    BinaryPredictions,
    BinaryProbabilities,
)
from lossmeter.engine.binary_targets import binary_targets
from lossmeter.engine.class_batch import ClassBatch
from lossmeter.engine.fused import kernels
from lossmeter.engine.losses import BinaryLoss, DivergenceLoss, Loss, TargetLoss
from lossmeter.engine.options import check_temperature
from lossmeter.engine.predictions import Logits, LogProbabilities, Predictions, Probabilities
from lossmeter.engine.predictions.fused_logits import FusedLogits
from lossmeter.engine.targets import Targets, class_targets
from lossmeter.engine.weights import WantedWeights, class_weights, sample_weights
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lossmeter.engine.batch import Batch
    from lossmeter.engine.options import Options


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """The arrays of a request.

    Attributes:
        name: which of the three inputs was sent.
        values: the input, ``Float[n, classes]``; with a binary loss ``Float[n]`` or ``Float[n, labels]``.
        targets: as sent.
        ignore_index: the class index that counts nowhere, if any.
        sample_weights: as sent.
        class_weights: as sent.
    """

    name: str
    values: Floats
    targets: ArrayLike
    ignore_index: int | None
    sample_weights: ArrayLike | None
    class_weights: WantedWeights


def read(
    inputs: Mapping[str, ArrayLike | None], ranks: Sequence[int], temperature: float = 1.0
) -> tuple[str, Floats]:
    """The one array of predictions that was sent: its name, and its numbers, which the temperature can divide.

    Raises:
        InvalidInputError: none or more than one, no numbers, another rank, or a temperature of what has none.
    """
    sent = [(name, value) for name, value in inputs.items() if value is not None]
    if len(sent) != 1:
        got = " and ".join(name for name, _ in sent) or "none"
        detail = f"exactly one of {', '.join(inputs)} is wanted, here is {got}"
        raise InvalidInputError.at(sent[1][0] if sent else "logits", detail=detail)
    [(name, given)] = sent
    values = floats(given, name, ranks=ranks)
    if temperature != 1:
        if name != "logits":
            detail = f"it divides logits; {name} have none"
            raise InvalidInputError.at("temperature", detail=detail, value=temperature)
        check_temperature(temperature, values.dtype)
    return name, values


def prepared(sent: Sent, loss: Loss, options: Options) -> Batch:
    """The batch, ready to be scored.

    Raises:
        InvalidInputError: shapes that do not fit together, targets that are none, weights below 0.
    """
    if isinstance(loss, BinaryLoss):
        return _binary(sent, loss, options)
    if isinstance(loss, (TargetLoss, DivergenceLoss)):
        return _classes(sent, loss, options)
    raise TypeError(f"{type(loss).__name__} is no TargetLoss, DivergenceLoss or BinaryLoss")


def _classes(sent: Sent, loss: TargetLoss | DivergenceLoss, options: Options) -> Batch:
    """A batch of ``Float[n, classes]``."""
    n, classes = sent.values.shape
    truth = class_targets(sent.targets, n, classes, sent.ignore_index, options.tolerance)
    _check_parameters(loss, classes, sent.values.dtype)
    dtype = sent.values.dtype
    return ClassBatch(
        _predictions(sent, truth, options, swift=_is_linear(loss)),
        truth,
        loss,
        options,
        sample_weights=sample_weights(sent.sample_weights, n, dtype),
        class_weights=class_weights(sent.class_weights, classes, dtype, truth.counts),
    )


def _is_linear(loss: TargetLoss | DivergenceLoss) -> bool:
    """Whether at a single true class the loss is −log p itself, which multiplies no error of p."""
    at_target = loss if isinstance(loss, TargetLoss) else loss.hard
    return at_target is not None and at_target.linear


def _predictions(sent: Sent, truth: Targets, options: Options, *, swift: bool) -> Predictions:
    if sent.name == "logits":
        read = Logits if kernels() is None else FusedLogits
        return read(sent.values, truth.ignored, temperature=options.temperature, swift=swift)
    kind = Probabilities if sent.name == "probabilities" else LogProbabilities
    return kind(sent.values, truth.ignored, options.tolerance)


BINARY: Mapping[str, type[BinaryLogits | BinaryProbabilities | BinaryLogProbabilities]] = {
    "logits": BinaryLogits,
    "probabilities": BinaryProbabilities,
    "log_probabilities": BinaryLogProbabilities,
}


def _binary(sent: Sent, loss: BinaryLoss, options: Options) -> Batch:
    """A batch of ``Float[n]`` or ``Float[n, labels]``."""
    values, dtype = sent.values, sent.values.dtype
    single = values.ndim == 1
    truth = binary_targets(sent.targets, values.shape, sent.ignore_index)
    matrix = values[:, None] if single else values
    _check_parameters(loss, matrix.shape[1], dtype)
    predictions: BinaryPredictions = BINARY[sent.name](matrix, truth.ignored, options.temperature)
    return BinaryBatch(
        predictions,
        truth,
        loss,
        options,
        sample_weights=sample_weights(sent.sample_weights, len(values), dtype),
        class_weights=class_weights(
            sent.class_weights, 2 if single else matrix.shape[1], dtype, truth.counts
        ),
    )


def _check_parameters(loss: Loss, classes: int, dtype: np.dtype[Any]) -> None:
    """Parameters with a number per class fit the classes of the input, and all can be computed with in its dtype."""
    for name in loss.parameters():
        value = getattr(loss, name)
        if isinstance(value, np.ndarray) and len(value) != classes:
            detail = f"{classes} numbers are wanted, one per class of the input, not {len(value)}"
            raise InvalidInputError.at("loss", name, detail=detail)
        size = np.abs(np.asarray(0.0 if value is None else value))
        if ((size > np.finfo(dtype).max) | ((size > 0) & (size < np.finfo(dtype).tiny))).any():
            detail = f"too large or too small to be computed with in {dtype.name}"
            raise InvalidInputError.at("loss", name, detail=detail)
