"""The pass over the blocks that scores a batch and sees all that metrics and states are made of."""

from __future__ import annotations

from lossmeter.engine.observation.observe import Observed, Wanted, observe
from lossmeter.engine.observation.slicing import Slices

__all__ = ["Observed", "Slices", "Wanted", "observe"]
