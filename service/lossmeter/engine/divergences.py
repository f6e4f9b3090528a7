"""How two distributions per row differ: entropies, both Kullback–Leibler divergences, Jensen–Shannon."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import floats
from lossmeter.engine.divergence_terms import entropy
from lossmeter.engine.options import Unit, check_tolerance, check_word, names, nats_per, number
from lossmeter.engine.pairs import between_logits, between_probabilities
from lossmeter.engine.predictions import Logits, Probabilities
from lossmeter.engine.results import DivergenceResult
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike

    from lossmeter.engine.blocks import Rows

    Side: TypeAlias = "Logits | Probabilities"


def divergence(  # noqa: PLR0913  the contract's fields
    *,
    p: ArrayLike | None = None,
    q: ArrayLike | None = None,
    p_logits: ArrayLike | None = None,
    q_logits: ArrayLike | None = None,
    unit: Unit = "nats",
    tolerance: float = 1e-6,
    include: Collection[str] = (),
    threads: int | None = None,
) -> DivergenceResult:
    """Compare the rows of p with those of q.

    KL(p‖q) = Σ_c p_c log(p_c/q_c) ≥ 0; H(p, q) = H(p) + KL(p‖q); JS = ½ KL(p‖m) + ½ KL(q‖m), m = (p+q)/2.

    Args:
        p: ``Float[n, classes]`` probabilities, or give ``p_logits``.
        q: what p is compared with, in the same shape, or give ``q_logits``.
        p_logits: ``Float[n, classes]``, read through softmax.
        q_logits: the same for q.
        unit: ``nats`` or ``bits``.
        tolerance: how far a row of probabilities may be from summing to 1.
        include: ``contributions``, for p log(p/q) class by class.
        threads: how many threads may work; None for one per core.

    Raises:
        InvalidInputError: not two batches of distributions of one shape.

    Source: Kullback, Leibler (1951); Lin (1991).
    """
    check_word("unit", unit, ("nats", "bits"))
    tolerance = number(tolerance, "tolerance")
    check_tolerance(tolerance)
    parts = names(include)
    for place, part in enumerate(parts):
        check_word("include", part, ("contributions",), place)
    left, right = _side("p", p, p_logits, tolerance), _side("q", q, q_logits, tolerance)
    if left.values.shape != right.values.shape:
        detail = f"the shape of the other side is wanted, {list(left.values.shape)}, not {list(right.values.shape)}"
        raise InvalidInputError.at(right.name, detail=detail)
    return _compared(left, right, nats_per(unit), contributions="contributions" in parts, threads=threads)


def _side(name: str, probabilities: ArrayLike | None, logits: ArrayLike | None, tolerance: float) -> Side:
    if probabilities is None and logits is not None:
        return Logits(floats(logits, f"{name}_logits", ranks=(2,)), name=f"{name}_logits")
    if probabilities is not None and logits is None:
        return Probabilities(floats(probabilities, name, ranks=(2,)), tolerance=tolerance, name=name)
    raise InvalidInputError.at(name, detail=f"exactly one of {name} and {name}_logits is wanted")


def _compared(
    left: Side, right: Side, nats: float, *, contributions: bool, threads: int | None
) -> DivergenceResult:
    shape = left.values.shape
    dtype = np.result_type(left.values, right.values)
    kinds = ("p_entropy", "q_entropy", "kl_divergence", "reverse_kl_divergence", "jensen_shannon")
    vectors = {kind: np.empty(shape[0], dtype) for kind in kinds}
    spread = np.empty(shape, dtype) if contributions else None

    def look(rows: Rows) -> None:
        p, q = left.all_classes(rows).outcome, right.all_classes(rows).outcome
        vectors["p_entropy"][rows] = entropy(p.p, p.log_p)
        vectors["q_entropy"][rows] = entropy(q.p, q.log_p)
        if isinstance(left, Logits) and isinstance(right, Logits):
            a, b = (side.values[rows].astype(np.float64) for side in (left, right))
            pair = between_logits(a, p, b, q)
        else:
            pair = between_probabilities(p, q)
        vectors["kl_divergence"][rows] = pair.forward
        vectors["reverse_kl_divergence"][rows] = pair.backward
        vectors["jensen_shannon"][rows] = pair.jensen_shannon
        if spread is not None:
            spread[rows] = pair.contributions / nats
            spread[rows] += 0.0  # no -0.0

    blocks.run(shape, look, threads)
    scaled = {kind: vector / dtype.type(nats) for kind, vector in vectors.items()}
    return DivergenceResult(
        **scaled, cross_entropy=scaled["p_entropy"] + scaled["kl_divergence"], contributions=spread
    )
