"""From the engine's results to the documents that answers are: fields by name, and no field for what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from lossmeter.api.schemas.state import encoded
from lossmeter.engine.comparison.report import of_slices as reports_of_slices
from lossmeter.engine.options import nats_per

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from lossmeter.api.schemas.batch import Window
    from lossmeter.engine import Slice, State
    from lossmeter.engine.options import Unit

NOT_THE_ENGINES = ("labels", "state_encoding")
"""Fields of a request that are the business of the answer, or of the exported metrics."""

IN_NATS = ("loss", "finite_loss", "standard_error", "log_loss")
"""Numbers of a slice."""


def arguments(request: Window) -> dict[str, Any]:
    """What the engine is told of a request."""
    return {name: value for name, value in request.arguments().items() if name not in NOT_THE_ENGINES}


def with_state(document: dict[str, Any], state: State | None, request: Window) -> dict[str, Any]:
    """The document, and the state in the encoding that was asked for, if there is one."""
    return document if state is None else document | {"state": encoded(state, request.state_encoding)}


def of_slices(slices: Mapping[str, Mapping[str, Slice]], unit: Unit = "nats") -> dict[str, Any]:
    """Slices by dimension and value, their losses in this unit."""
    found: dict[str, dict[str, dict[str, Any]]] = _value(reports_of_slices(slices))
    nats = nats_per(unit)
    for told in (each for values in found.values() for each in values.values()):
        told |= {name: told[name] / nats for name in IN_NATS if name in told}
        if "interval" in told:
            told["interval"] = [end / nats for end in told["interval"]]
    return found


def members(result: DataclassInstance, *names: str) -> dict[str, Any]:
    """A result as a document: its fields, or those of these names, but for what is None; and so on inside."""
    chosen = names or tuple(field.name for field in fields(result))
    found = ((name, getattr(result, name)) for name in chosen)
    return {name: _value(part) for name, part in found if part is not None}


def _value(value: object) -> Any:  # noqa: ANN401 - a JSON value
    if isinstance(value, Mapping):
        return {name: _value(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(part) for part in value]
    return members(value) if is_dataclass(value) and not isinstance(value, type) else value
