"""The use case: a batch, its truth and a loss become scores. The library's public face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import floats, offenders
from lossmeter.engine.batch import Batch, Output
from lossmeter.engine.binary_batch import BinaryBatch, BinaryTargets
from lossmeter.engine.binary_predictions import BinaryLogits, BinaryLogProbabilities, BinaryProbabilities
from lossmeter.engine.class_batch import ClassBatch
from lossmeter.engine.class_weights import class_weights as make_class_weights
from lossmeter.engine.losses import BinaryLoss, make_loss
from lossmeter.engine.numerics import finite_product, total
from lossmeter.engine.options import Options
from lossmeter.engine.predictions import Logits, LogProbabilities, Probabilities
from lossmeter.engine.results import KLBreakdown, Scores
from lossmeter.engine.targets import class_targets, integers
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import ArrayLike

    from lossmeter.engine.arrays import Floats, Mask, Vector
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.options import Normalization, Part, Reduction, Unit

INPUTS = ("logits", "probabilities", "log_probabilities")


def score(  # noqa: PLR0913  the contract's fields, one argument each
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike,
    loss: str | Mapping[str, Any] | Loss = "cross_entropy",
    class_weights: ArrayLike | str | Mapping[str, Any] | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    normalization: Normalization = "weight",
    unit: Unit = "nats",
    epsilon: float = 0.0,
    tolerance: float = 1e-6,
    include: Collection[Part] = ("losses", "gradients", "kl"),
    threads: int | None = None,
) -> Scores:
    """Score a batch.

    With targets t (after smoothing), class weights w and sample weight v, a row costs v Σ_c w_c t_c φ(log p_c) where the
    loss is such a sum, else v (Σ_c w_c t_c) times its loss; its weight is v Σ_c w_c t_c.

    Args:
        logits: ``Float[n, classes]``, or ``Float[n]`` or ``Float[n, labels]`` with a binary loss.
        probabilities: the same shape, each in [0, 1], rows that sum to 1; exactly one of the three.
        log_probabilities: the same shape, natural logarithms.
        targets: ``Int[n]`` class indices or ``Float[n, classes]`` distributions; with a binary loss 0/1 or soft, in the
            shape of the input.
        loss: a name, ``{"name": ..., parameters}`` or a ``Loss``.
        class_weights: ``Float[classes]``, a scheme's name, or ``{"scheme", "beta", "absent"}``.
        sample_weights: ``Float[n]`` >= 0.
        label_smoothing: in [0, 1), spread over the classes that have any probability.
        ignore_index: rows whose class index equals it count nowhere.
        temperature: logits are divided by it.
        reduction: ``mean``, ``sum`` or ``none``.
        normalization: what a mean is divided by: the ``weight`` or the ``count`` of the rows.
        unit: ``nats`` or ``bits``.
        epsilon: probabilities are clipped to at least this.
        tolerance: how far a row's sum may be from 1.
        include: which arrays the answer carries.
        threads: how many threads may work; None for one per core.

    Returns:
        float32 arrays for float32 (or float16) input, else float64.

    Raises:
        InvalidInputError: what cannot be scored, with the elements to blame.

    Source: every loss names its own; weights and denominators are those of PyTorch's CrossEntropyLoss for class indices.
    """
    options = Options(
        label_smoothing=label_smoothing,
        temperature=temperature,
        reduction=reduction,
        normalization=normalization,
        unit=unit,
        epsilon=epsilon,
        tolerance=tolerance,
        include=include,
    )
    name, sent = _the_input(
        {"logits": logits, "probabilities": probabilities, "log_probabilities": log_probabilities}
    )
    if temperature != 1 and name != "logits":
        raise InvalidInputError.at(
            "temperature", detail=f"it divides logits; {name} have none", value=temperature
        )
    chosen = make_loss(loss)
    prepare = _binary if isinstance(chosen, BinaryLoss) else _classes
    values = floats(sent, name, ranks=(1, 2) if chosen.binary else (2,))
    batch = prepare(name, values, targets, chosen, options, ignore_index, sample_weights, class_weights)
    return _reduced(batch, values.shape, options, threads)


def _the_input(inputs: Mapping[str, ArrayLike | None]) -> tuple[str, ArrayLike]:
    """The one array of predictions that was sent, and its name."""
    sent = [(name, value) for name, value in inputs.items() if value is not None]
    if len(sent) != 1:
        got = " and ".join(name for name, _ in sent) or "none of them"
        raise InvalidInputError.at(
            sent[1][0] if sent else "logits",
            detail=f"exactly one of {', '.join(INPUTS)} is wanted, not {got}",
        )
    return sent[0]


def _classes(  # noqa: PLR0913, PLR0917  one argument per part of the request
    name: str,
    values: Floats,
    targets: ArrayLike,
    loss: Loss,
    options: Options,
    ignore_index: int | None,
    sample_weights: ArrayLike | None,
    class_weights: ArrayLike | str | Mapping[str, Any] | None,
) -> Batch:
    """A batch of ``Float[n, classes]``."""
    n, classes = values.shape
    truth = class_targets(targets, n, classes, ignore_index, options.tolerance)
    _check_per_class(loss, classes)
    if name == "logits":
        predictions: Any = Logits(values, truth.ignored, temperature=options.temperature)
    else:
        predictions = (Probabilities if name == "probabilities" else LogProbabilities)(
            values, truth.ignored, options.tolerance
        )
    weights = _class_weights(
        class_weights,
        classes,
        values.dtype,
        {"targets": targets, "classes": classes, "ignore_index": ignore_index},
    )
    samples = _sample_weights(sample_weights, n, values.dtype)
    return ClassBatch(predictions, truth, loss, options, sample_weights=samples, class_weights=weights)


def _binary(  # noqa: PLR0913, PLR0917  one argument per part of the request
    name: str,
    values: Floats,
    targets: ArrayLike,
    loss: BinaryLoss,
    options: Options,
    ignore_index: int | None,
    sample_weights: ArrayLike | None,
    class_weights: ArrayLike | str | Mapping[str, Any] | None,
) -> Batch:
    """A batch of ``Float[n]`` or ``Float[n, labels]``."""
    single = values.ndim == 1
    sent = floats(targets, "targets", ranks=(1, 2))
    if sent.shape != values.shape:
        detail = f"the shape of the input is wanted, {list(values.shape)}, not {list(sent.shape)}"
        raise InvalidInputError.at("targets", detail=detail)
    ignored = _ignored_labels(sent, ignore_index)
    truth = sent if ignored is None else np.where(ignored, 0, sent)
    outside = ~((truth >= 0) & (truth <= 1))
    if outside.any():
        raise offenders(outside, truth, "targets", detail="a truth in [0, 1] is wanted")
    matrix = values[:, None] if single else values
    kinds = {
        "logits": BinaryLogits,
        "probabilities": BinaryProbabilities,
        "log_probabilities": BinaryLogProbabilities,
    }
    with np.errstate(all="ignore"):
        predictions = kinds[name](matrix, ignored, options.temperature)
    labels = 2 if single else matrix.shape[1]
    _check_per_class(loss, matrix.shape[1])
    counted = truth if ignored is None else truth[~ignored]
    shares = {"targets": np.stack([1 - counted, counted], axis=1) if single else counted, "classes": labels}
    weights = _class_weights(class_weights, labels, values.dtype, shares)
    samples = _sample_weights(sample_weights, len(values), values.dtype)
    known = BinaryTargets(truth[:, None] if single else truth, ignored, single)
    return BinaryBatch(predictions, known, loss, options, sample_weights=samples, class_weights=weights)


def _ignored_labels(targets: Floats, ignore_index: int | None) -> Mask | None:
    if ignore_index is None:
        return None
    if targets.ndim > 1:
        raise InvalidInputError.at(
            "ignore_index", detail="one target per row is wanted with it, these are rows of labels"
        )
    ignored = targets == ignore_index
    return ignored if ignored.any() else None


def _check_per_class(loss: Loss, classes: int) -> None:
    """A parameter that is one number per class fits the classes of the input."""
    for name in loss.parameters():
        value = getattr(loss, name)
        if isinstance(value, np.ndarray) and len(value) != classes:
            detail = f"{classes} numbers are wanted, one per class of the input, not {len(value)}"
            raise InvalidInputError.at("loss", name, detail=detail)


def _class_weights(
    wanted: ArrayLike | str | Mapping[str, Any] | None,
    classes: int,
    dtype: np.dtype[Any],
    truth: Mapping[str, Any],
) -> Vector | None:
    """The weights as numbers; a scheme computes them from the truth of this batch."""
    if wanted is None:
        return None
    if isinstance(wanted, str):
        wanted = {"scheme": wanted}
    if isinstance(wanted, dict):
        return make_class_weights(**truth, **wanted).class_weights.astype(dtype)
    weights = _nonnegative(wanted, "class_weights", dtype)
    if len(weights) != classes:
        detail = f"{classes} weights are wanted, one per class, not {len(weights)}"
        raise InvalidInputError.at("class_weights", detail=detail)
    return weights


def _sample_weights(wanted: ArrayLike | None, n: int, dtype: np.dtype[Any]) -> Vector | None:
    if wanted is None:
        return None
    weights = _nonnegative(wanted, "sample_weights", dtype)
    if len(weights) != n:
        raise InvalidInputError.at(
            "sample_weights", detail=f"one weight per row is wanted: {n} of them, not {len(weights)}"
        )
    return weights


def _nonnegative(value: ArrayLike, name: str, dtype: np.dtype[Any]) -> Vector:
    weights = floats(value, name, ranks=(1,))
    wrong = ~((weights >= 0) & np.isfinite(weights))
    if wrong.any():
        raise offenders(wrong, weights, name, detail="a finite number >= 0 is wanted")
    return weights.astype(dtype, copy=False)


def _reduced(batch: Batch, shape: tuple[int, ...], options: Options, threads: int | None) -> Scores:
    """Score the blocks and put the answer together, in the unit asked for and the shape as sent."""
    weight = total(batch.weights.of_rows)
    denominator = weight if options.normalization == "weight" else float(batch.count if weight else 0)
    mean = 1 / denominator if denominator else 0.0
    nats = options.nats_per_unit
    output = Output.empty(batch.shape, batch.dtype, options)
    scale = (mean if options.reduction == "mean" else 1.0) / nats
    blocks.run(*batch.shape, batch.dtype.itemsize, lambda rows: batch.score(rows, scale, output), threads)
    losses = output.losses if nats == 1 else output.losses / output.losses.dtype.type(nats)
    whole = total(losses) if options.reduction != "none" else None
    if whole is not None and options.reduction == "mean":
        whole = whole / denominator if denominator else 0.0
    contributions = output.contributions
    return Scores(
        loss=whole,
        reduction=options.reduction,
        unit=options.unit,
        denominator=denominator,
        count=batch.count,
        ignored=batch.shape[0] - batch.count,
        class_weights=batch.weights.of_classes,
        losses=losses if "losses" in options.include else None,
        gradients=None if output.gradients is None else output.gradients.reshape(shape),
        kl=_breakdown(batch, output, mean, nats),
        contributions=None
        if contributions is None
        else (contributions / contributions.dtype.type(nats)).reshape(shape),
        probabilities=None if output.probabilities is None else output.probabilities.reshape(shape),
    )


def _breakdown(batch: Batch, output: Output, mean: float, nats: float) -> KLBreakdown | None:
    """The KL part; cross-entropy is made of the other two, so that they add up to the last digit."""
    if output.kl_divergence is None or output.target_entropy is None:
        return None
    unit = output.kl_divergence.dtype.type(nats)
    divergence, entropy = output.kl_divergence / unit, output.target_entropy / unit
    weighted = finite_product(batch.weights.of_rows, divergence.astype(np.float64))
    by_class = batch.by_class(weighted, output) * mean
    return KLBreakdown(entropy, entropy + divergence, divergence, by_class.astype(divergence.dtype))
