"""States: what a scoring leaves behind, that adds up with others; as a JSON object or as a base64 string."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode, b64encode
from typing import Annotated, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from lossmeter.api.schemas.strings import as_sent
from lossmeter.engine import State
from lossmeter.errors import InvalidInputError, MalformedBodyError, Problem

Encoding: TypeAlias = Literal["json", "binary"]

MOST_STATES: Final = 100_000

StateEncoding: TypeAlias = Annotated[
    Encoding,
    Field(
        description="How a state of the answer is written: `json`, an object, or `binary`, a base64 string, "
        "which is read faster. Wherever a state is taken, both are."
    ),
]

_SCHEMA: Final[dict[str, Any]] = {
    "title": "State",
    "description": "A state as an answer had it: an object, or a base64 string. What is in it may change "
    "with its version; store it, send it back, and do not look inside.",
    "anyOf": [
        {"type": "object", "required": ["version"]},
        {"type": "string", "contentEncoding": "base64", "minLength": 1},
    ],
}


def encoded(state: State, encoding: Encoding = "json") -> dict[str, Any] | str:
    """The state as an answer carries it."""
    return b64encode(state.pack()).decode("ascii") if encoding == "binary" else state.document()


def _state(value: object, info: ValidationInfo) -> State:
    """A state in either form, as it comes from JSON; of no more classes than the server takes in a batch."""
    state = _read(value)
    classes, most = state.options["classes"], (info.context or {}).get("max_classes", math.inf)
    if classes > most:
        detail = f"at most {most} classes are taken"
        raise InvalidInputError.at("options", "classes", detail=detail, value=classes)
    return state


def _read(value: object) -> State:
    if isinstance(value, dict):
        return State.read(_with_names(value))
    if not isinstance(value, str):
        detail = "must be a state as an answer had it: an object, or a base64 string"
        raise InvalidInputError.at(detail=detail, value=value)
    try:
        packed = b64decode(value.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidInputError.at(detail="is no state: it is no base64", value=value) from None
    try:
        return State.unpack(packed)
    except MalformedBodyError as error:
        raise InvalidInputError.at(detail=str(error), value=value) from None


def _with_names(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the names of slices as they were sent, also where none but numbers are spelled."""
    options, slices = document.get("options"), document.get("slices")
    if isinstance(options, dict) and "slices" in options:
        options = {**options, "slices": as_sent(options["slices"])}
    if isinstance(slices, dict):
        slices = {name: as_sent(values) for name, values in slices.items()}
    return document | {
        name: part for name, part in (("options", options), ("slices", slices)) if part is not None
    }


def _states(value: object, info: ValidationInfo) -> list[State]:
    """At least one state; what is wrong with any of them is told of all."""
    if not isinstance(value, list):
        is_empty = isinstance(value, np.ndarray) and not value.size
        detail = "is empty; at least one state is wanted" if is_empty else "must be an array of states"
        raise InvalidInputError.at(detail=detail, value=value)
    if len(value) > MOST_STATES:
        detail = f"at most {MOST_STATES} states are taken, not {len(value)}; merge some of them first"
        raise InvalidInputError.at(detail=detail)
    states, problems, count = [], [], 0
    for place, item in enumerate(value):
        try:
            states.append(_state(item, info))
        except InvalidInputError as error:
            problems += [Problem((place, *each.path), each.detail, each.value) for each in error.problems]
            count += error.count
    if problems:
        raise InvalidInputError(problems, count)
    return states


StateChoice: TypeAlias = Annotated[Any, PlainValidator(_state), WithJsonSchema(_SCHEMA)]
"""A request's state, in either form."""

States: TypeAlias = Annotated[
    Any,
    PlainValidator(_states),
    WithJsonSchema({"type": "array", "minItems": 1, "maxItems": MOST_STATES, "items": _SCHEMA}),
]
"""Any number of states."""

StateAnswer: TypeAlias = Annotated[Any, WithJsonSchema(_SCHEMA)]
"""An answer's state."""
