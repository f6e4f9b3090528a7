"""States for the documentation's examples: two shards of one window, and a window that is worse.

Their probabilities are powers of two, whose logarithms are the same on every machine; so the examples are.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lossmeter.api.schemas.state import encoded
from lossmeter.engine import score

if TYPE_CHECKING:
    from lossmeter.engine import State

_GOOD, _FAIR, _BAD = [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.125, 0.125, 0.75]


def shards() -> list[str]:
    """Two shards of a window."""
    return [_packed([_GOOD, _FAIR, _GOOD]), _packed([_FAIR, _GOOD, _GOOD])]


@cache
def good() -> str:
    """A window of 48 rows."""
    return _packed([_GOOD, _GOOD, _FAIR] * 16)


@cache
def worse() -> str:
    """Another, where every fourth row costs more."""
    return _packed([_GOOD, _GOOD, _FAIR, _BAD] * 12)


def _packed(rows: list[list[float]]) -> str:
    return str(encoded(_state(rows), "binary"))


def _state(rows: list[list[float]]) -> State:
    """What these rows leave behind, if class 0 is always true, on two devices in turns."""
    device = [("desk", "mobile")[number % 2] for number in range(len(rows))]
    scores = score(
        probabilities=rows, targets=[0] * len(rows), slices={"device": device}, include=["state"], threads=1
    )
    assert scores.state is not None  # noqa: S101 - it was asked for
    return scores.state
