"""The base of everything that callers send: strict objects that explain what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from lossmeter.api.schemas import words
from lossmeter.errors import MOST_PROBLEMS, InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import CoreSchema

D = TypeVar("D", bound="Document")


def optional(description: str, **constraints: Any) -> Any:  # noqa: ANN401 - stands where a field's default does
    """A field that may be left out and has no default to show; a default of null would be a lie."""
    return Field(default_factory=lambda: None, description=description, **constraints)


class Document(BaseModel):
    """A JSON object: strict types, no unknown fields, no nulls; it names every field that is wrong.

    Attributes:
        exactly_one: groups of fields of which exactly one must be sent.
        needs: fields by the field that is of no use without them.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )
    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = ()
    needs: ClassVar[Mapping[str, str]] = {}

    def arguments(self) -> dict[str, Any]:
        """What was sent, by field name: defaults stay with whoever computes."""
        sent = self.model_fields_set
        return {
            name: value.arguments() if isinstance(value, Document) else value
            for name, value in self.__dict__.items()
            if name in sent
        }

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, document: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(document, cls):
            return document
        if not isinstance(document, dict):
            raise InvalidInputError.at(detail="must be a JSON object", value=document)
        problems, count = _first(cls._structure(document))
        try:
            model = handler(cls._usable(document) if problems else document)
        except ValidationError as error:
            found = words.refusal(error)
            fields = [problem for problem in found.problems if not _is_null(document, problem)]
            problems, count = [*problems, *fields], count + found.count - len(found.problems) + len(fields)
        if problems:
            raise InvalidInputError(problems, count)
        return model

    @classmethod
    def _structure(cls, document: dict[str, object]) -> Iterator[Problem]:
        known = cls.model_fields
        for name, value in document.items():
            if name not in known:
                yield cls._unknown(name)
            elif value is None:
                yield Problem((name,), "null is refused; leave the field out instead", None)
        for group in cls.exactly_one:
            yield from _not_one(group, [name for name in document if name in group])
        for name, other in cls.needs.items():
            if name in document and other not in document:
                yield Problem((name,), f"is of no use without {other}, which was not sent")

    @classmethod
    def _usable(cls, document: dict[str, object]) -> dict[str, object]:
        """What the fields are to be read from, although something is wrong with others."""
        known = cls.model_fields
        return {name: value for name, value in document.items() if name in known and value is not None}

    @classmethod
    def _unknown(cls, name: str) -> Problem:
        known = ", ".join(cls.model_fields)
        # A pointer as long as the body would repeat the body; the object that holds the name is close enough.
        if len(name) > words.LONGEST_NAME:
            return Problem((), f"unknown field with a name of {len(name)} characters; known: {known}")
        return Problem((name,), f"unknown field{words.suggestion(name, cls.model_fields)}; known: {known}")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Says in the schema, too, that exactly one field of each group is required, and which need others."""
        schema = handler(core)
        if cls.needs:
            dependent = {name: [other] for name, other in cls.needs.items()}
            handler.resolve_ref_schema(schema)["dependentRequired"] = dependent
        groups = [{"oneOf": [{"required": [name]} for name in group]} for group in cls.exactly_one]
        if groups:
            # Never a bare oneOf, even of one group: client generators take that for a union and lose the fields.
            handler.resolve_ref_schema(schema)["allOf"] = groups
        return schema


def read(model: type[D], document: object, context: dict[str, Any] | None = None) -> D:
    """A decoded document as this model; the context carries ``max_classes``.

    Raises:
        InvalidInputError: with the pointer of everything that is wrong.
    """
    try:
        return model.model_validate(document, context=context)
    except ValidationError as error:
        raise words.refusal(error) from None


def _first(problems: Iterator[Problem]) -> tuple[list[Problem], int]:
    """The first problems and the number of all: a body can hold a million unknown fields."""
    kept: list[Problem] = []
    count = 0
    for count, problem in enumerate(problems, start=1):
        if count <= MOST_PROBLEMS:
            kept.append(problem)
    return kept, count


def _not_one(group: tuple[str, ...], sent: list[str]) -> Iterator[Problem]:
    names = ", ".join(group)
    if not sent:
        yield Problem((), f"exactly one of {names} is required; none was sent")
    for extra in sent[1:]:
        yield Problem((extra,), f"exactly one of {names} is taken; {sent[0]} was sent as well")


def _is_null(document: dict[str, object], problem: Problem) -> bool:
    """Whether a field is only missing because its null was refused already."""
    return len(problem.path) == 1 and problem.path[0] in document and document[str(problem.path[0])] is None
