"""Fields that hold arrays: NumPy in Python, nested JSON arrays of numbers in the schema.

The numbers were read straight into arrays by ``lossmeter.wire.json``; here a field only says which ranks
it takes and how its JSON looks. Shapes are written as in the documentation, ``Float[n, classes]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema
from typing_extensions import TypeAliasType

from lossmeter.errors import InvalidInputError
from lossmeter.wire.json import as_array

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]
Array = NDArray[np.float64]

REAL: Final[Schema] = {"type": "number"}
NOT_NEGATIVE: Final[Schema] = {"type": "number", "minimum": 0}
UNIT_INTERVAL: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
MASKABLE: Final[Schema] = {"anyOf": [{"type": "number"}, {"const": "-Infinity"}]}
CLASS_INDEX: Final[Schema] = {"type": "integer"}

Number = TypeAliasType(
    "Number",
    Annotated[
        float,
        WithJsonSchema(
            {
                "title": "Number",
                "description": "A double; what JSON numbers cannot say is a string, as in proto3's JSON "
                "mapping.",
                "anyOf": [{"type": "number"}, {"type": "string", "enum": ["Infinity", "-Infinity", "NaN"]}],
            }
        ),
    ],
)
"""A number of an answer."""

Vector: TypeAlias = list[Number]
"""An answer's ``Float[n]`` or ``Float[classes]``."""

Matrix: TypeAlias = list[Number] | list[list[Number]]
"""An answer's ``Float[n, classes]``; ``Float[n]`` where the input was of rank 1 (a binary loss)."""


def vector(item: Schema) -> Schema:
    """The JSON Schema of an array of rank 1 that is not empty."""
    return {"type": "array", "items": item, "minItems": 1}


def matrix(item: Schema) -> Schema:
    """The JSON Schema of an array of rank 2 that is not empty."""
    return vector(vector(item))


def either(*schemas: Schema) -> Schema:
    """Any of these."""
    return {"anyOf": list(schemas)}


def reader(*ranks: int) -> Callable[[object, ValidationInfo], Array]:
    """A Pydantic validator that takes arrays of these ranks."""

    def read(value: object, info: ValidationInfo) -> Array:
        context = info.context or {}
        return as_array(value, (), ranks=ranks, max_classes=context.get("max_classes"))

    return read


def scalar_or_vector(value: object, info: ValidationInfo) -> float | Array:
    """A Pydantic validator for a parameter that is one number, or one per class."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str | bool | dict) or value is None:
        raise InvalidInputError.at(detail="must be a number, or an array of numbers", value=value)
    return reader(1)(value, info)


def whole(value: object) -> object:
    """Lets 3.0 be the integer that it is in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(whole)]
"""An integer, also when it is written 3.0."""

Vector1 = Annotated[Array, PlainValidator(reader(1))]
"""A request's array of rank 1; the schema of its items is given where it is used."""

Matrix2 = Annotated[Array, PlainValidator(reader(2))]
"""A request's array of rank 2."""

VectorOrMatrix = Annotated[Array, PlainValidator(reader(1, 2))]
"""A request's array of rank 1 or 2."""

# Rows that are ignored may hold NaN, so a schema without it would refuse what is scored.
_LOGIT: Final[Schema] = {"anyOf": [{"type": "number"}, {"type": "string", "enum": ["-Infinity", "NaN"]}]}
_PROBABILITY: Final[Schema] = {"anyOf": [UNIT_INTERVAL, {"const": "NaN"}]}

Logits = Annotated[VectorOrMatrix, WithJsonSchema(either(matrix(_LOGIT), vector(_LOGIT)))]
Probabilities = Annotated[VectorOrMatrix, WithJsonSchema(either(matrix(_PROBABILITY), vector(_PROBABILITY)))]
LogProbabilities = Logits
"""Of the inputs of /v1/score, these have the same elements."""
