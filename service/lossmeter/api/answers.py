"""From the engine's results to the documents that answers are: fields by name, and no field for what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from lossmeter.api.schemas.state import encoded
from lossmeter.engine.options import nats_per

if TYPE_CHECKING:
    from lossmeter.api.schemas.batch import Window
    from lossmeter.engine import Slice, State
    from lossmeter.engine.options import Unit

NOT_THE_ENGINES = ("labels", "state_encoding")
"""Fields of a request that are the business of the answer, or of the exported metrics."""


def arguments(request: Window) -> dict[str, Any]:
    """What the engine is told of a request."""
    return {name: value for name, value in request.arguments().items() if name not in NOT_THE_ENGINES}


def with_state(document: dict[str, Any], state: State | None, request: Window) -> dict[str, Any]:
    """The document, and the state in the encoding that was asked for, if there is one."""
    return document if state is None else document | {"state": encoded(state, request.state_encoding)}


def of_slices(
    slices: Mapping[str, Mapping[str, Slice]], unit: Unit = "nats"
) -> dict[str, dict[str, dict[str, Any]]]:
    """Slices by dimension and value, their losses in this unit."""
    return {
        dimension: {name: _slice(each, nats_per(unit)) for name, each in values.items()}
        for dimension, values in slices.items()
    }


def _slice(found: Slice, nats: float) -> dict[str, Any]:
    return {
        "count": found.count,
        "weight": found.weight,
        "loss": found.loss / nats,
        "log_loss": found.log_loss / nats,
        "brier_score": found.brier,
        "accuracy": found.accuracy,
        "top_k_accuracy": found.top_k,
        "confidence": found.confidence,
    }


def members(value: object, *names: str) -> Any:  # noqa: ANN401 - a JSON value
    """A result as a document: its fields, or those of these names, but for what is None; and so on inside."""
    if is_dataclass(value):
        chosen = names or tuple(field.name for field in fields(value))
        found = ((name, getattr(value, name)) for name in chosen)
        return {name: members(part) for name, part in found if part is not None}
    if isinstance(value, Mapping):
        return {name: members(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [members(part) for part in value]
    return value
