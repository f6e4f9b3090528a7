"""What the engine answers, as frozen values; None stands for a part that was not asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lossmeter.engine.arrays import Floats, Matrix, Vector
from lossmeter.engine.options import Reduction, Unit
from lossmeter.engine.state import Slice, State


@dataclass(frozen=True, slots=True, eq=False)
class KLBreakdown:
    """What the model adds to the truth's own entropy, row by row and class by class.

    Attributes:
        target_entropy: ``Float[n]``, H(t).
        cross_entropy: ``Float[n]``, H(t, p), before weights: the sum of the other two, to the last digit.
        kl_divergence: ``Float[n]``, KL(t‖p) ≥ 0.
        by_class: ``Float[classes]``, the share of the weighted mean KL that falls on each true class; for a binary loss
            on ``Float[n]`` those of truth 0 and truth 1, on ``Float[n, labels]`` one per label.
    """

    target_entropy: Vector
    cross_entropy: Vector
    kl_divergence: Vector
    by_class: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The answer to a scoring.

    Attributes:
        loss: the reduced loss; None with reduction "none".
        reduction: how it was reduced.
        unit: of every loss, entropy, divergence and gradient here.
        denominator: what a mean is divided by, whatever the reduction.
        count: rows that were scored.
        ignored: rows that were ignored.
        class_weights: ``Float[classes]``, if any were used.
        losses: ``Float[n]``, weighted, unreduced.
        gradients: of ``loss`` (of the sum with reduction "none"), in the shape of the array as sent.
        kl: the KL breakdown.
        contributions: t log(t/p), in the shape of the array as sent.
        probabilities: in the shape of the array as sent.
        state: what adds up with that of other batches, in nats.
        slices: by dimension and value, those with the most weight first, the 101st and later ones as ``other``; means
            over the weight, in nats.
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
    state: State | None = None
    slices: Mapping[str, Mapping[str, Slice]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxResult:
    """Softmax of a batch.

    Attributes:
        probabilities: ``Float[n, classes]``.
        log_probabilities: ``Float[n, classes]``, nats.
        log_sum_exp: ``Float[n]``, log Σ e^{x/T}.
        entropy: ``Float[n]``, of the probabilities, nats.
    """

    probabilities: Matrix
    log_probabilities: Matrix
    log_sum_exp: Vector
    entropy: Vector


@dataclass(frozen=True, slots=True, eq=False)
class DivergenceResult:
    """How two batches of distributions differ, row by row.

    Attributes:
        p_entropy: ``Float[n]``, H(p).
        q_entropy: ``Float[n]``, H(q).
        cross_entropy: ``Float[n]``, H(p, q) = H(p) + KL(p‖q), to the last digit.
        kl_divergence: ``Float[n]``, KL(p‖q).
        reverse_kl_divergence: ``Float[n]``, KL(q‖p).
        jensen_shannon: ``Float[n]``.
        contributions: ``Float[n, classes]``, p log(p/q).
    """

    p_entropy: Vector
    q_entropy: Vector
    cross_entropy: Vector
    kl_divergence: Vector
    reverse_kl_divergence: Vector
    jensen_shannon: Vector
    contributions: Matrix | None


@dataclass(frozen=True, slots=True, eq=False)
class ClassWeights:
    """Weights of classes, and what they were made from.

    Attributes:
        class_weights: ``Float[classes]``.
        counts: ``Float[classes]``, examples of each class.
    """

    class_weights: Vector
    counts: Vector
