"""Fields that hold names: what an answer is to include, and the labels of an exported series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import numpy as np
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from lossmeter.api.schemas import words
from lossmeter.errors import MOST_PROBLEMS, InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

MOST_LABELS: Final = 16
LONGEST_KEY: Final = 64
LONGEST_LABEL: Final = 128


@dataclass(frozen=True, slots=True)
class Names:
    """The annotation of a field that takes an array of these names, in any order.

    Attributes:
        known: the names.
        default: what the schema shows as default; None where the description says it.
    """

    known: tuple[str, ...]
    default: tuple[str, ...] | None = ()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Reads the names without a validator per element: a body can hold a million wrong ones."""
        return no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """An array of an enumeration."""
        items = {"type": "string", "enum": list(self.known)}
        default = {} if self.default is None else {"default": list(self.default)}
        return {"type": "array", "items": items, **default}

    def _read(self, value: object) -> tuple[str, ...]:
        # An empty array holds no element that tells names from numbers, so it arrives as an array of numbers.
        names = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
        if not isinstance(names, list):
            raise InvalidInputError.at(
                detail=f"must be an array of names: {', '.join(self.known)}", value=value
            )
        wrong = [
            place for place, name in enumerate(names) if not (isinstance(name, str) and name in self.known)
        ]
        if wrong:
            first = [
                Problem((at,), _not_one_of(self.known, names[at]), names[at]) for at in wrong[:MOST_PROBLEMS]
            ]
            raise InvalidInputError(first, len(wrong))
        return tuple(name for name in self.known if name in names)


def _not_one_of(known: Sequence[str], name: object) -> str:
    return f"must be one of {', '.join(known)}{words.suggestion(name, known)}"


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidInputError.at(detail="must be an object of short strings", value=value)
    if len(value) > MOST_LABELS:
        raise InvalidInputError.at(detail=f"at most {MOST_LABELS} labels are taken, not {len(value)}")
    for name, label in value.items():
        if not 1 <= len(name) <= LONGEST_KEY:
            raise InvalidInputError.at(
                detail=f"a label's name has 1 to {LONGEST_KEY} characters, not {len(name)}"
            )
        if not isinstance(label, str) or len(label) > LONGEST_LABEL:
            raise InvalidInputError.at(
                name, detail=f"must be a string of at most {LONGEST_LABEL} characters", value=label
            )
    return value


Labels: TypeAlias = Annotated[
    dict[str, str],
    PlainValidator(_labels),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MOST_LABELS,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_KEY},
            "additionalProperties": {"type": "string", "maxLength": LONGEST_LABEL},
        }
    ),
]
"""A few short strings by name."""
