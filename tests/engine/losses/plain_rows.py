"""What the tests of the short ways for plain rows share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np

from engine.cases import assert_same_bits

if TYPE_CHECKING:
    from lossmeter.engine.results import KLBreakdown, Scores

WRONG: Final[list[tuple[list[float], float]]] = [
    ([1.0, float("nan")], 0),
    ([float("inf"), 1.0], 0),
    ([float("-inf"), float("-inf")], 1),
    ([1.0, 2.0], 2),
    ([1.0, 2.0], -1),
    ([1.0, 2.0], 0.5),
    ([1.0, 2.0], float("nan")),
    ([1.0, 2.0], float("inf")),
]
"""Logits of a row and its target, of which something is refused."""


def assert_same(one: Scores | KLBreakdown, other: Scores | KLBreakdown | None) -> None:
    """Every field of two results, to the bit; but for the results in them."""
    for name in (field.name for field in fields(one) if field.name != "kl"):
        if isinstance(getattr(one, name), np.ndarray):
            assert_same_bits({name: getattr(one, name)}, {name: getattr(other, name)})
        else:
            assert getattr(one, name) == getattr(other, name), name
