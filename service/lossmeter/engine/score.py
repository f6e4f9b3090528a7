"""The use case: a batch, its truth and a loss become scores. The library's public face."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lossmeter.engine.few_rows import score_few
from lossmeter.engine.losses import make_loss
from lossmeter.engine.observation import Wanted, observe
from lossmeter.engine.options import Options, names, number, whole
from lossmeter.engine.preparation import Sent, prepared, read
from lossmeter.engine.reduction import reduced
from lossmeter.engine.single_row import score_alone

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from lossmeter.engine.losses import Loss
    from lossmeter.engine.observation import Slices
    from lossmeter.engine.options import Normalization, Part, Reduction, Unit
    from lossmeter.engine.results import Scores
    from lossmeter.engine.weights import WantedWeights


def score(  # noqa: PLR0913  the contract's fields, one argument each
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike,
    loss: str | Mapping[str, Any] | Loss = "cross_entropy",
    class_weights: WantedWeights = None,
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
    slices: Slices | None = None,
    cluster: Sequence[Hashable] | None = None,
    bins: int = 15,
    k: int = 5,
    threads: int | None = None,
) -> Scores:
    """Score a batch.

    With targets t (after smoothing), class weights w and sample weight v, a row costs v Σ_c w_c t_c φ(log p_c) where
    the loss is such a sum, else v (Σ_c w_c t_c) times its loss; its weight is v Σ_c w_c t_c.

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
        include: which arrays the answer carries, and whether a ``state`` does.
        slices: by dimension, a string for each row: the answer tells the loss of every value.
        cluster: an id for each row, a string or a number: rows of one cluster are one observation to the error of the
            mean. All rows of a cluster must be in one batch.
        bins: of the confidence, in the state.
        k: of top-k accuracy, in the state and the slices.
        threads: how many threads may work; None for one per core.

    Returns:
        float32 arrays for float32 (or float16) input, else float64.

    Raises:
        InvalidInputError: what cannot be scored, with the elements to blame.

    Source: every loss names its own; weights and denominators are PyTorch's for class indices.
    """
    temperature = number(temperature, "temperature")
    options = _options(
        number(label_smoothing, "label_smoothing"),
        temperature,
        reduction,
        normalization,
        unit,
        number(epsilon, "epsilon"),
        number(tolerance, "tolerance"),
        names(include),
    )
    inputs = {"logits": logits, "probabilities": probabilities, "log_probabilities": log_probabilities}
    chosen = make_loss(loss)
    name, values = read(inputs, (1, 2) if chosen.binary else (2,), temperature)
    ignored = None if ignore_index is None else whole(ignore_index, "ignore_index")
    sent = Sent(name, values, targets, ignored, sample_weights, class_weights)
    if slices is None and "state" not in options.include:
        quick = score_alone if len(values) == 1 else score_few
        return quick(sent, chosen, options) or reduced(
            prepared(sent, chosen, options), values.shape, options, threads
        )
    wanted = Wanted(whole(bins, "bins"), whole(k, "k"), slices, cluster, state="state" in options.include)
    observed = observe(sent, chosen, options, wanted, threads)
    return replace(observed.scores, state=observed.state, slices=observed.slices)


@lru_cache(maxsize=256)
def _options(*values: Any) -> Options:  # noqa: ANN401  each field has its own type
    """Options that were checked before are not checked again: a monitor sends the same ones all day."""
    return Options(*values)
