"""POST /v1/class-weights: its request, its answer, and the schemes that /v1/score takes as well."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema

from lossmeter.api.schemas import words
from lossmeter.api.schemas.arrays import (
    CLASS_INDEX,
    NOT_NEGATIVE,
    UNIT_INTERVAL,
    Array,
    Integer,
    Vector,
    Vector1,
    VectorOrMatrix,
    either,
    matrix,
    reader,
    vector,
    whole,
)
from lossmeter.api.schemas.document import Document, optional, read
from lossmeter.engine.class_weights import Absent, Scheme
from lossmeter.errors import InvalidInputError

MOST_CLASSES: Final = 2**31 - 1

_SCHEME_HELP: Final = (
    "`inverse_frequency`: N / n_c. `balanced`: N / (C·n_c), scikit-learn's. `effective_number`: "
    "(1−β)/(1−β^n_c), scaled so that the weights add up to C (Cui et al. 2019). N examples, C classes, "
    "n_c examples of class c."
)
_BETA_HELP: Final = "β of `effective_number`, in [0, 1); the other schemes have none."
_ABSENT_HELP: Final = (
    "What a class without an example gets: `error` refuses the request and names it; `zero` gives weight 0."
)

Beta: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
# The range stands before what reads 3.0 as 3: behind it, Pydantic has no word of JSON Schema for it.
Classes: TypeAlias = Annotated[int, Field(ge=1, le=MOST_CLASSES), BeforeValidator(whole)]


class WeightScheme(Document):
    """Class weights computed from this request's targets."""

    scheme: Scheme = Field(description=_SCHEME_HELP)
    beta: Beta = Field(default=0.999, description=_BETA_HELP)
    absent: Absent = Field(default="error", description=_ABSENT_HELP)


def _read(value: object, info: ValidationInfo) -> str | Document | Array:
    if isinstance(value, dict):
        return read(WeightScheme, value, context=info.context)
    if isinstance(value, str):
        if value != "balanced":
            detail = f"must be an array, `balanced` or a scheme object{words.suggestion(value, ['balanced'])}"
            raise InvalidInputError.at(detail=detail, value=value)
        return value
    return reader(1)(value, info)


_Numbers = Annotated[Any, WithJsonSchema({"title": "Float[classes]", **vector(NOT_NEGATIVE)})]
WeightsChoice: TypeAlias = Annotated[
    Any, PlainValidator(_read, json_schema_input_type=_Numbers | Literal["balanced"] | WeightScheme)
]
"""Class weights as numbers, or how to compute them."""


class ClassWeightsRequest(Document):
    """What to compute weights from: targets, or the number of examples of each class."""

    exactly_one: ClassVar = (("targets", "counts"),)

    targets: Annotated[
        VectorOrMatrix, WithJsonSchema(either(vector(CLASS_INDEX | {"minimum": 0}), matrix(UNIT_INTERVAL)))
    ] = optional(
        "Class indices `Int[n]`, or shares in [0, 1], `Float[n, classes]`, whose columns are summed: one "
        "distribution per row, or several labels."
    )
    counts: Annotated[Vector1, WithJsonSchema(vector(NOT_NEGATIVE))] = optional(
        "Number of examples of each class, `Float[classes]`, each ≥ 0; fractions are soft targets added up."
    )
    scheme: Scheme = Field(default="balanced", description=_SCHEME_HELP)
    beta: Beta = Field(default=0.999, description=_BETA_HELP)
    absent: Absent = Field(default="error", description=_ABSENT_HELP)
    classes: Classes = optional(
        "Number of classes; default: the largest class index plus 1, or the number of columns or counts. "
        "At most the server's `max_classes`."
    )
    ignore_index: Integer = optional(
        "Targets equal to this are not counted; class indices only. Default: none."
    )


class ClassWeightsAnswer(BaseModel):
    """One weight per class."""

    class_weights: Vector = Field(
        description="`Float[classes]`, ≥ 0: to be sent as `class_weights` to /v1/score."
    )
    counts: Vector = Field(description="`Float[classes]`: how many examples of each class were counted.")


EXAMPLES: Final[dict[str, Any]] = {
    "targets": {
        "summary": "balanced weights from class indices",
        "description": "Class 1 is three times as frequent, so it weighs a third: [2, 0.6666666666666666].",
        "value": {"targets": [0, 1, 1, 1], "scheme": "balanced"},
    },
    "counts": {
        "summary": "the effective number of examples, from counts",
        "value": {"counts": [5000, 400, 12], "scheme": "effective_number", "beta": 0.999},
    },
    "absent": {
        "summary": "a class without an example gets weight 0",
        "value": {"targets": [0, 0, 2], "classes": 3, "scheme": "inverse_frequency", "absent": "zero"},
    },
}
"""Named requests for the documentation."""
