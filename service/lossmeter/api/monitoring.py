"""The use cases of monitoring between JSON documents and the engine: metrics, states, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossmeter import engine
from lossmeter.api.schemas.state import encoded

if TYPE_CHECKING:
    from lossmeter.api.schemas.merge import MergeRequest


def merge(request: MergeRequest) -> dict[str, Any]:
    """The state of all the rows behind these."""
    return {"state": encoded(engine.merge(request.states), request.state_encoding)}
