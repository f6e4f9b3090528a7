"""What most requests are: logits, one true class for each row, a loss that is −log p, and nothing else.

Such rows need few operations, and of few rows the time goes into everything around them. Those that are plain are
scored by ``single_row`` and ``few_rows``: with the operations of ``score_at_targets`` in their order, so with its bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.engine.losses import TargetLoss
from lossmeter.engine.predictions.logits import COMFORT

if TYPE_CHECKING:
    from lossmeter.engine.losses import Loss
    from lossmeter.engine.options import Options
    from lossmeter.engine.preparation import Sent

LOW: Final = COMFORT[np.dtype(np.float64)]

_PARTS: Final = frozenset(("losses", "gradients", "kl"))


def is_plain(sent: Sent, loss: Loss, options: Options) -> bool:
    """Whether nothing but the logits and their true classes matters."""
    return (
        sent.name == "logits"
        and sent.values.dtype == np.float64
        and sent.sample_weights is None
        and sent.class_weights is None
        and options.temperature == 1
        and options.label_smoothing == 0
        and options.epsilon == 0
        and _PARTS.issuperset(options.include)
        and isinstance(loss, TargetLoss)
        and loss.linear
        and loss.class_factors() is None
    )


def true_classes(sent: Sent) -> list[Any] | None:
    """The true class of each row as it was sent, if all are classes and none is ignored."""
    targets, (n, classes) = sent.targets, sent.values.shape
    if not isinstance(targets, np.ndarray) or targets.shape != (n,) or targets.dtype.kind not in "fiu":
        return None
    told: list[Any] = targets.tolist()
    found = set(told)
    return told if found <= _classes(classes) and sent.ignore_index not in found else None


@lru_cache(maxsize=32)
def _classes(count: int) -> frozenset[int]:
    return frozenset(range(count))
