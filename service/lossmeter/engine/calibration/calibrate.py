"""The use case: a batch and its truth become a temperature, or a scale and a bias per class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np

from lossmeter.engine.arrays import Matrix, Vector
from lossmeter.engine.calibration.sample import Sample
from lossmeter.engine.calibration.temperature import NoOptimumError, NoSignalError, fit
from lossmeter.engine.calibration.vector import VectorFit, fit_vector
from lossmeter.engine.losses import make_loss
from lossmeter.engine.measure import measure
from lossmeter.engine.metrics import Answer
from lossmeter.engine.options import Options, check_word
from lossmeter.engine.preparation import Sent, prepared, read
from lossmeter.engine.score import score
from lossmeter.engine.two_classes import as_two_classes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Floats
    from lossmeter.engine.class_batch import ClassBatch
    from lossmeter.engine.evidence import Binning
    from lossmeter.engine.measure import Measured
    from lossmeter.engine.results import Scores
    from lossmeter.engine.weights import WantedWeights

Method: TypeAlias = Literal["temperature", "vector"]

CURVES = ("reliability_curve_before", "reliability_curve_after")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calibration:
    """How a model's logits are best scaled, and what that is worth; None is what could not be told.

    Attributes:
        method: ``temperature`` or ``vector``.
        temperature: T, what logits are to be divided by.
        scales: ``Float[classes]``, what logits are to be multiplied by, with "vector".
        biases: ``Float[classes]``, what is then to be added to them.
        log_loss_before: weighted mean log loss as sent, nats.
        log_loss_after: the same once scaled.
        miscalibration: what the scaling removes of it: with "temperature" the mean KL divergence of the probabilities
            as sent from the scaled ones, which is that difference to its last digits; with "vector" the difference.
        count: rows that are not ignored.
        ignored: rows that are.
        reliability_curve_before: the metric of that name, as sent.
        reliability_curve_after: the same once scaled.
        iterations: Newton steps.
        gradient_norm: with "vector", the largest slope that is left.
        undefined: why, for everything that could not be told.
    """

    method: Method
    temperature: float | None = None
    scales: Vector | None = None
    biases: Vector | None = None
    log_loss_before: float
    log_loss_after: float | None = None
    miscalibration: float | None = None
    count: int
    ignored: int
    reliability_curve_before: Answer | None = None
    reliability_curve_after: Answer | None = None
    iterations: int = 0
    gradient_norm: float | None = None
    undefined: dict[str, str] = field(default_factory=dict)


def calibrate(  # noqa: PLR0913  the contract's fields
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike,
    method: Method = "temperature",
    class_weights: WantedWeights = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    bins: int = 15,
    binning: Binning = "equal_width",
    tolerance: float = 1e-6,
    threads: int | None = None,
) -> Calibration:
    """Scale logits so that the log loss of this batch is the least.

    Args:
        logits: ``Float[n, classes]``, or ``Float[n]`` of class 1 against class 0.
        probabilities: the same shape; their logarithms are scaled. Exactly one of the three.
        log_probabilities: the same shape.
        targets: as in ``score``.
        method: ``temperature``: one T for all, exact to 1e-10; ``vector``: a scale and a bias per class.
        class_weights: as in ``score``.
        sample_weights: as in ``score``.
        ignore_index: as in ``score``.
        bins: of the reliability curves.
        binning: of the reliability curves: ``equal_width`` or ``equal_mass``.
        tolerance: how far a row of probabilities may be from summing to 1.
        threads: how many threads may work; None for one per core.

    Returns:
        numbers, and reasons where the log loss has no finite optimum.

    Raises:
        InvalidInputError: what cannot be scored, with the elements to blame.
    """
    check_word("method", method, get_args(Method))
    inputs = {"logits": logits, "probabilities": probabilities, "log_probabilities": log_probabilities}
    name, values = read(inputs, (1, 2))
    arrays = {"targets": targets, "sample_weights": sample_weights, "ignore_index": ignore_index}
    sent: dict[str, Any] = {name: values, **arrays}
    said: dict[str, Any] = {"class_weights": class_weights, "threads": threads}
    loss = "cross_entropy" if values.ndim > 1 else "binary_cross_entropy"
    # This refuses what cannot be scored.
    before = score(**sent, **said, loss=loss, tolerance=tolerance, include=())
    seen: dict[str, Any] = {"metrics": ["reliability_curve"], "bins": bins, "binning": binning}
    curves = [measure(**sent, **said, **seen, tolerance=tolerance)]
    said["class_weights"] = before.class_weights
    asked: dict[str, Any] = {**said, **_as_logits(name, values, arrays)}
    with np.errstate(all="ignore"):
        fitted = _fitted(_sample(asked), method)
    after = None
    if fitted.reason is None:
        scaled = asked if fitted.scaled is None else {**asked, "logits": fitted.scaled}
        after = score(**scaled, temperature=fitted.temperature or 1.0, include=()).loss
        curves.append(measure(**scaled, **seen, temperature=fitted.temperature or 1.0))
    return _answer(method, (before, after), fitted, curves)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Fitted:
    """What was found: a temperature, a vector scaling with the scaled logits, or the reason why not."""

    temperature: float | None = None
    removed: float | None = None
    vector: VectorFit | None = None
    scaled: Matrix | None = None
    iterations: int = 0
    reason: str | None = None


def _fitted(sample: Sample, method: Method) -> _Fitted:
    try:
        found = fit(sample)
    except NoOptimumError as why:
        if method == "temperature" or not isinstance(why, NoSignalError):
            return _Fitted(reason=str(why))
        inverse = 0.0
    else:
        if method == "temperature":
            return _Fitted(
                temperature=found.temperature, removed=found.miscalibration, iterations=found.iterations
            )
        inverse = 1 / found.temperature
    vector = fit_vector(sample, inverse)
    return _Fitted(vector=vector, scaled=vector.scaled(sample.logits), iterations=vector.iterations)


def _answer(
    method: Method, losses: tuple[Scores, float | None], fitted: _Fitted, curves: list[Measured]
) -> Calibration:
    before, after = losses
    vector, removed = fitted.vector, fitted.removed
    if vector is not None and after is not None and before.loss is not None:
        removed = before.loss - after + 0.0
    found = [measured.metrics.get("reliability_curve") for measured in curves]
    return Calibration(
        method=method,
        temperature=fitted.temperature,
        scales=None if vector is None else vector.scales,
        biases=None if vector is None else vector.biases,
        log_loss_before=before.loss or 0.0,
        log_loss_after=after,
        miscalibration=removed,
        count=before.count,
        ignored=before.ignored,
        **dict(zip(CURVES, found, strict=False)),
        iterations=fitted.iterations,
        gradient_norm=None if vector is None else vector.gradient_norm,
        undefined=_undefined(method, fitted.reason, curves),
    )


def _undefined(method: Method, reason: str | None, curves: list[Measured]) -> dict[str, str]:
    """Why there is no optimum, and why there are no curves."""
    fits = ("temperature",) if method == "temperature" else ("scales", "biases")
    missing = (*fits, "log_loss_after", "miscalibration", CURVES[1])
    undefined = {} if reason is None else dict.fromkeys(missing, reason)
    for name, measured in zip(CURVES, curves, strict=False):
        if "reliability_curve" in measured.undefined:
            undefined[name] = measured.undefined["reliability_curve"]
    return undefined


def _as_logits(name: str, values: Floats, arrays: dict[str, Any]) -> dict[str, Any]:
    """What was sent and could be scored, as ``Float64[n, classes]`` logits, the truth about them and its weights."""
    sent = {name: values, **arrays}
    if values.ndim == 1:
        name, sent = as_two_classes(name, values, **arrays)
    matrix = sent.pop(name).astype(np.float64, copy=False)
    if name == "probabilities":
        with np.errstate(all="ignore"):
            matrix = np.log(matrix)
    return {"logits": matrix, **sent}


def _sample(asked: dict[str, Any]) -> Sample:
    sent = Sent(
        "logits",
        asked["logits"],
        asked["targets"],
        asked["ignore_index"],
        asked["sample_weights"],
        asked["class_weights"],
    )
    batch = prepared(sent, make_loss("cross_entropy"), Options(include=()))
    return Sample(asked["logits"], cast("ClassBatch", batch), asked["threads"])
