"""Fields that hold a string per row: slices and clusters. They are read as a whole, for there may be millions.

Here they become lists of strings, whatever JSON's readers took them for; how many and how long they may be, the engine
says.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
from pydantic import PlainValidator, WithJsonSchema

from lossmeter.engine.state.layout import LONGEST_NAME, MOST_DIMENSIONS
from lossmeter.errors import MOST_PROBLEMS, InvalidInputError, Problem
from lossmeter.wire.numbers import SPELLED

Strings: TypeAlias = list[str]

LARGEST_INTEGER: Final = 2**53
"""Beyond it JSON's doubles skip integers, and two clusters would become one."""

_SPELLED: Final = {str(number): name for name, number in SPELLED.items()}
_STRING: Final = {"type": "string", "maxLength": LONGEST_NAME}
_INTEGER: Final = {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER}


def as_sent(value: object) -> object:
    """The list that was sent: an empty one, or one of spelled numbers such as ``"NaN"``, was read as numbers."""
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return value
    return [number if math.isfinite(number) else _SPELLED[str(number)] for number in value.tolist()]


def _strings(value: object, *path: str) -> Strings:
    items = as_sent(value)
    if not isinstance(items, list):
        raise InvalidInputError.at(*path, detail="must be an array of strings, one per row", value=value)
    if set(map(type, items)) <= {str}:
        return items
    wrong = [place for place, item in enumerate(items) if not isinstance(item, str)]
    first = [Problem((*path, at), "must be a string", items[at]) for at in wrong[:MOST_PROBLEMS]]
    raise InvalidInputError(first, len(wrong))


def _slices(value: object) -> dict[str, Strings]:
    if not isinstance(value, dict):
        raise InvalidInputError.at(
            detail="must be an object of arrays of strings, one for each dimension", value=value
        )
    return {name: _strings(column, name) for name, column in value.items()}


def _cluster(value: object) -> Any:  # noqa: ANN401 - strings, or an array of integers
    if not isinstance(value, np.ndarray) or value.ndim != 1 or not np.isfinite(value).any():
        return _strings(value)
    usable = np.isfinite(value) & (np.floor(value) == value) & (np.abs(value) <= LARGEST_INTEGER)
    wrong = np.flatnonzero(~usable).tolist()
    if wrong:
        detail = "must be an integer of at most 2^53 in size; larger ones may be sent as strings"
        raise InvalidInputError(
            [Problem((at,), detail, value[at]) for at in wrong[:MOST_PROBLEMS]], len(wrong)
        )
    return value.astype(np.int64)


def _array(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


_COLUMNS: Final = {
    "type": "object",
    "maxProperties": MOST_DIMENSIONS,
    "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
    "additionalProperties": _array(_STRING),
}

Slices: TypeAlias = Annotated[dict[str, Strings], PlainValidator(_slices), WithJsonSchema(_COLUMNS)]
"""A string per row for each of a few dimensions."""

Cluster: TypeAlias = Annotated[
    Any, PlainValidator(_cluster), WithJsonSchema({"anyOf": [_array({"type": "string"}), _array(_INTEGER)]})
]
"""What each row belongs to: a string, or an integer."""
