"""Softmax by itself: what the losses see, for looking at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import floats
from lossmeter.engine.divergence_terms import entropy
from lossmeter.engine.options import check_temperature, number
from lossmeter.engine.predictions import Logits
from lossmeter.engine.results import SoftmaxResult

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.engine.blocks import Rows


def softmax(logits: ArrayLike, *, temperature: float = 1.0, threads: int | None = None) -> SoftmaxResult:
    """Softmax of every row, p_j = e^{x_j/T} / Σ_c e^{x_c/T}, its logarithm, the log-sum-exp and the entropy.

    Args:
        logits: ``Float[n, classes]``; −∞ is a class of probability 0.
        temperature: T > 0.
        threads: how many threads may work; None for one per core.

    Raises:
        InvalidInputError: NaN, +∞, a row without any class, or a temperature that is not > 0.

    Source: Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs", 1990.
    """
    values = floats(logits, "logits", ranks=(2,))
    temperature = number(temperature, "temperature")
    check_temperature(temperature, values.dtype)
    rows_of = Logits(values, temperature=temperature)
    p, log_p = np.empty(values.shape, values.dtype), np.empty(values.shape, values.dtype)
    log_sum_exp, entropies = np.empty(len(values), values.dtype), np.empty(len(values), values.dtype)

    def look(rows: Rows) -> None:
        outcome = rows_of.all_classes(rows).outcome
        p[rows], log_p[rows] = outcome.p, outcome.log_p
        log_p[rows] += 0.0  # no -0.0
        top = np.max(values[rows], axis=1).astype(np.float64) / temperature
        log_sum_exp[rows] = top - np.max(outcome.log_p, axis=1)
        entropies[rows] = entropy(outcome.p, outcome.log_p)

    blocks.run(values.shape, look, threads)
    return SoftmaxResult(p, log_p, log_sum_exp + 0.0, entropies)
