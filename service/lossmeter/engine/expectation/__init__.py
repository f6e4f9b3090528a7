"""What a batch will cost, if its probabilities are true, before anybody knows the truth."""

from __future__ import annotations

from lossmeter.engine.expectation.expect import Expected, expect

__all__ = ["Expected", "expect"]
