"""The state of a scoring: exact sums that merge, and what is read off them."""

from __future__ import annotations

from lossmeter.engine.state.merging import merge
from lossmeter.engine.state.moments import Moments
from lossmeter.engine.state.slices import Slice
from lossmeter.engine.state.state import State

__all__ = ["Moments", "Slice", "State", "merge"]
