"""States of a classifier in different weather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import score

if TYPE_CHECKING:
    from lossmeter.engine.state import State

REGIONS = ("north", "south", "west")


def window(seed: int, n: int = 2000, *, fault: str | None = None, shift: bool = False, **said: Any) -> State:  # noqa: ANN401  options of score
    """The state of n rows of a calibrated three-class model, blind in the region of ``fault`` if there is one.

    With ``shift`` the rows come from other regions.
    """
    rng = np.random.default_rng(seed)
    region = rng.choice(REGIONS, n, p=[0.2, 0.7, 0.1] if shift else [0.5, 0.3, 0.2])
    logits = rng.normal(0, np.where(region == "south", 0.5, 2.0)[:, None], (n, 3))
    p = np.exp(logits) / np.sum(np.exp(logits), axis=1, keepdims=True)
    targets = np.minimum((np.cumsum(p, axis=1) < rng.random((n, 1))).sum(axis=1), 2)
    if fault is not None:
        blind = region == fault
        logits[blind] = rng.normal(0, 2.0, (int(np.count_nonzero(blind)), 3))
    asked: dict[str, Any] = {
        "logits": logits,
        "targets": targets,
        "slices": {"region": region.tolist(), "device": rng.choice(["phone", "web"], n).tolist()},
        "include": ["state"],
    }
    state = score(**(asked | said)).state
    assert state is not None
    return state
