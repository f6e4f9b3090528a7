"""The union of losses, read off the engine's registry: a new loss appears here by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, Union

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema, create_model

from lossmeter.api.schemas import words
from lossmeter.api.schemas.arrays import REAL, either, reader, scalar_or_vector, vector
from lossmeter.api.schemas.document import Document, read
from lossmeter.engine import LOSSES
from lossmeter.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine import Loss, Parameter


def _bounds(parameter: Parameter) -> dict[str, float]:
    """The parameter's range in the words of JSON Schema."""
    bounds = {}
    if parameter.minimum > -math.inf:
        bounds["exclusiveMinimum" if parameter.exclusive_minimum else "minimum"] = parameter.minimum
    if parameter.maximum < math.inf:
        bounds["exclusiveMaximum" if parameter.exclusive_maximum else "maximum"] = parameter.maximum
    return bounds


def parameter_schema(parameter: Parameter) -> dict[str, Any]:
    """The JSON Schema of a loss's parameter, with its range, default and description."""
    number = REAL | _bounds(parameter)
    shapes = [number] * parameter.scalar + [vector(number)] * parameter.vector
    default = {} if parameter.default is None else {"default": parameter.default}
    return {
        "description": parameter.description,
        **(shapes[0] if len(shapes) == 1 else either(*shapes)),
        **default,
    }


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """What ``create_model`` takes: the type and the default. Ranges are the engine's to check."""
    described = WithJsonSchema(parameter_schema(parameter))
    default = Field(default_factory=lambda: None)
    if parameter.vector:
        validator = PlainValidator(scalar_or_vector if parameter.scalar else reader(1))
        return Annotated[Any, validator, described], default
    return Annotated[float, described], default


def _model(loss: type[Loss]) -> type[Document]:
    title = "".join(part.title() for part in loss.name.split("_")) + "Loss"
    # The discriminator has no default: with one it would not be required, and client generators refuse that.
    name = {"name": (Literal[loss.name], Field(description=f"`{loss.name}`: {loss.title}."))}
    fields: Any = name | {each.name: _field(each) for each in loss.parameters().values()}
    return create_model(title, __base__=Document, __doc__=loss.summary, **fields)


LOSS_MODELS: Final[Mapping[str, type[Document]]] = {name: _model(loss) for name, loss in LOSSES.items()}
"""The JSON object of every loss, by name."""

_Name = Annotated[Literal[tuple(LOSSES)], Field(title="LossName")]  # type: ignore[valid-type]
_Object = Annotated[Union[tuple(LOSS_MODELS.values())], Field(discriminator="name")]  # type: ignore[valid-type] # noqa: UP007 - built from a tuple


def _read(value: object, info: ValidationInfo) -> str | Document:
    if isinstance(value, str):
        _known(value)
        return value
    if not isinstance(value, dict):
        raise InvalidInputError.at(detail="must be a loss's name, or an object with its name", value=value)
    if "name" not in value:
        raise InvalidInputError([words.missing("name")])
    return read(LOSS_MODELS[_known(value["name"], "name")], value, context=info.context)


def _known(name: object, *path: str) -> str:
    if isinstance(name, str) and name in LOSS_MODELS:
        return name
    raise words.unknown_name(*path, what="loss", name=name, known=LOSS_MODELS)


LossChoice: TypeAlias = Annotated[Any, PlainValidator(_read, json_schema_input_type=_Name | _Object)]
"""A loss by name, or an object with its name and parameters."""


def _read_all(value: object, info: ValidationInfo) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInputError.at(detail="must be an array of losses, by name or as objects", value=value)
    found, problems, count = [], [], 0
    for place, item in enumerate(value):
        try:
            loss = item if item in ALIASES else _read(item, info)
        except InvalidInputError as error:
            problems += [Problem((place, *each.path), each.detail, each.value) for each in error.problems]
            count += error.count
        else:
            found.append(loss.arguments() if isinstance(loss, Document) else loss)
    if problems:
        raise InvalidInputError(problems, count)
    return found


ALIASES: Final = ("log_loss", "brier_score")
"""What metrics call cross-entropy and squared error."""

LossChoices: TypeAlias = Annotated[
    Any,
    PlainValidator(
        _read_all,
        json_schema_input_type=list[Literal[ALIASES] | _Name | _Object],  # type: ignore[valid-type] # as above
    ),
]
"""Any number of losses, by name or as objects."""
