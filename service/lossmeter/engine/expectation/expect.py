"""The use case: a batch, and no truth, become the losses that its probabilities promise, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.expectation.costs import chosen
from lossmeter.engine.expectation.promises import Promised
from lossmeter.engine.options import check_range, check_tolerance, number, whole
from lossmeter.engine.predictions import Logits, LogProbabilities, Predictions, Probabilities
from lossmeter.engine.preparation import read
from lossmeter.engine.score import score
from lossmeter.engine.targets import class_targets
from lossmeter.engine.two_classes import as_two_classes
from lossmeter.engine.weights import class_weights as class_weights_of
from lossmeter.engine.weights import sample_weights as sample_weights_of
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Mask, Matrix, Vector
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.results import Scores
    from lossmeter.engine.weights import WantedWeights

DEFAULT = ("log_loss", "brier_score", "focal")

CERTAIN = 1e-13
"""A deviation and a distance below so much of the expectation are rounding, and no reason for any z."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A mean loss as the probabilities promise it, nats.

    Attributes:
        expected: its expectation, if every truth is drawn from its row.
        standard_deviation: of the mean over the rows, which are independent.
        realised: what it turned out to be; None without targets.
        z: (realised − expected) / standard_deviation. Beyond ±3 or so the probabilities do not keep their word; above 0
            they are too sure. Infinite where there was no doubt and it turned out otherwise.
    """

    expected: float
    standard_deviation: float
    realised: float | None = None
    z: float | None = None


def expect(  # noqa: PLR0913  the contract's fields
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    losses: Collection[str | Mapping[str, Any] | Loss] = DEFAULT,
    class_weights: WantedWeights = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    temperature: float = 1.0,
    belief_temperature: float | None = None,
    tolerance: float = 1e-6,
    threads: int | None = None,
) -> dict[str, Expected]:
    """The mean losses that a batch of predictions promises, from the probabilities alone.

    Args:
        logits: ``Float[n, classes]``, or ``Float[n]`` of class 1 against class 0.
        probabilities: the same shape; exactly one of the three.
        log_probabilities: the same shape.
        targets: the truth, once it is known: then there are ``realised`` and ``z``.
        losses: names or objects as in ``score``, each name once; ``log_loss`` is ``cross_entropy`` and ``brier_score``
            is ``squared_error``; binary ones with ``Float[n]``.
        class_weights: as in ``score``; a scheme needs targets.
        sample_weights: as in ``score``.
        ignore_index: rows whose class index equals it count nowhere; needs targets.
        temperature: logits are divided by it, as in ``score``.
        belief_temperature: what logits, or the logarithms of probabilities, are divided by where they say what is
            true, as ``calibrate`` finds it; the predictions that are scored stay. By default ``temperature``.
        tolerance: how far a row's sum may be from 1.
        threads: how many threads may work; None for one per core.

    Raises:
        InvalidInputError: what cannot be scored, with the elements to blame.
    """
    temperature, tolerance = number(temperature, "temperature"), number(tolerance, "tolerance")
    check_tolerance(tolerance)
    inputs = {"logits": logits, "probabilities": probabilities, "log_probabilities": log_probabilities}
    name, values = read(inputs, (1, 2), temperature)
    if targets is None and ignore_index is not None:
        raise InvalidInputError.at("ignore_index", detail="targets are wanted with it")
    index = None if ignore_index is None else whole(ignore_index, "ignore_index")
    single = values.ndim == 1
    found = chosen(losses, 2 if single else values.shape[1], single=single)
    arrays: dict[str, Any] = {"targets": targets, "sample_weights": sample_weights, "ignore_index": index}
    options: dict[str, Any] = {"class_weights": class_weights, "tolerance": tolerance, "threads": threads}
    scored = {}
    if targets is not None:
        shared = {**options, "temperature": temperature, "include": ()}
        scored = _scored(found, (name, values, arrays), shared)
        options["class_weights"] = next(iter(scored.values())).class_weights
    columns = {name: values, **arrays}
    if single:
        name, columns = as_two_classes(name, values, **arrays)
    batch = _batch(name, columns, options, (temperature, belief_temperature))
    return {
        key: _answer(*promise, scored[key].loss if key in scored else None)
        for key, promise in batch.promises(found).items()
    }


def _scored(
    losses: Mapping[str, Loss], sent: tuple[str, Vector, dict[str, Any]], options: dict[str, Any]
) -> dict[str, Scores]:
    """What the losses turned out to be: binary ones of ``Float[n]`` as sent, the others of two classes."""
    name, values, arrays = sent
    single = asked = {name: values, **arrays}
    if values.ndim == 1:
        score(
            **single, **options, loss="binary_cross_entropy"
        )  # refuses what is wrong in terms of what was sent
        name, asked = as_two_classes(name, values, **arrays)
    return {
        key: score(**(single if loss.binary else asked), **options, loss=loss) for key, loss in losses.items()
    }


def _batch(
    name: str, columns: dict[str, Any], options: dict[str, Any], heats: tuple[float, float | None]
) -> Promised:
    """Predictions, belief and weights, all in float64."""
    values = columns[name].astype(np.float64, copy=False)
    n, classes = values.shape
    ignored, tolerance = None, options["tolerance"]
    if columns["targets"] is not None:
        truth = class_targets(columns["targets"], n, classes, columns["ignore_index"], tolerance)
        ignored = truth.ignored
    given = sample_weights_of(columns["sample_weights"], n, values.dtype)
    samples = np.ones(n) if given is None else given
    temperature, believed = heats
    if name == "logits":
        predictions: Predictions = Logits(values, ignored, temperature=temperature)
    else:
        kind = Probabilities if name == "probabilities" else LogProbabilities
        predictions = kind(values, ignored, tolerance)
    return Promised(
        predictions,
        None if believed is None else _belief(name, values, ignored, number(believed, "belief_temperature")),
        samples if ignored is None else np.where(ignored, 0, samples),
        class_weights_of(options["class_weights"], classes, values.dtype, _no_counts),
        options["threads"],
    )


def _belief(name: str, values: Matrix, ignored: Mask | None, temperature: float) -> Predictions:
    """The same predictions, or their logarithms, at another temperature; in scratch memory of its own name."""
    check_range("belief_temperature", temperature, 0 < temperature < math.inf, "a finite number > 0")
    if name == "probabilities":
        with np.errstate(all="ignore"):
            values = np.log(values)
    return Logits(values, ignored, name="belief", temperature=temperature)


def _no_counts() -> Vector:
    raise InvalidInputError.at("class_weights", detail="numbers are wanted: a scheme needs targets")


def _answer(expected: float, deviation: float, realised: float | None) -> Expected:
    if realised is None:
        return Expected(expected, deviation)
    distance, rounding = realised - expected, CERTAIN * abs(expected)
    if deviation <= rounding and abs(distance) <= rounding:
        return Expected(expected, deviation, realised, 0.0)
    z = distance / deviation if deviation else math.copysign(math.inf, distance)
    return Expected(expected, deviation, realised, z + 0.0)
