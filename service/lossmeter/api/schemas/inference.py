"""The documents of the Open Inference Protocol, for /openapi.json, and the parameters that each model takes.

Requests and answers of ``infer`` are read and written by ``lossmeter.wire.oip``; what is here only describes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from lossmeter.api.schemas.arrays import Number
from lossmeter.api.schemas.document import Document, optional
from lossmeter.api.schemas.losses import parameter_schema
from lossmeter.api.schemas.score import ScoreRequest
from lossmeter.engine import LOSSES
from lossmeter.wire.oip import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine import Loss, Parameter

OPTIONS: Final = (
    "label_smoothing",
    "ignore_index",
    "temperature",
    "reduction",
    "normalization",
    "unit",
    "epsilon",
    "tolerance",
    "labels",
)
"""The fields of /v1/score that are parameters here."""

Datatype = Annotated[str, Field(json_schema_extra={"enum": list(DATATYPES)})]
Parameters = dict[str, Any]


def own_parameters(loss: type[Loss]) -> dict[str, Parameter]:
    """Those parameters of a loss that may be single numbers."""
    return {name: about for name, about in loss.parameters().items() if about.scalar}


def own_tensors(loss: type[Loss]) -> dict[str, Parameter]:
    """Those parameters of a loss that may have a number per class, and are then inputs."""
    return {name: about for name, about in loss.parameters().items() if about.vector}


def _option(name: str) -> tuple[Any, Any]:
    field = ScoreRequest.model_fields[name]
    if name != "reduction":
        return field.annotation, field
    return field.annotation, Field(
        default="none", description="`mean`, `sum`, or `none`: then the sum is differentiated."
    )


def _own(parameter: Parameter) -> tuple[Any, Any]:
    # Ranges are the engine's to check.
    number = {"type": "number"} | {
        word: value for word, value in parameter_schema(parameter).items() if word not in ("anyOf", "items")
    }
    return Annotated[float, WithJsonSchema(number)], Field(default_factory=lambda: None)


def _model(loss: type[Loss]) -> type[Document]:
    title = "".join(part.title() for part in loss.name.split("_")) + "Parameters"
    options: Any = {name: _option(name) for name in OPTIONS}
    # Poly-1's own epsilon is its coefficient; there the option of that name is not to be had.
    own: Any = {name: _own(about) for name, about in own_parameters(loss).items()}
    return create_model(title, __base__=Document, __doc__=f"Parameters of {loss.name}.", **options | own)


PARAMETERS: Final[Mapping[str, type[Document]]] = {name: _model(loss) for name, loss in LOSSES.items()}
"""The request parameters of every model, by its name."""


class Liveness(BaseModel):
    """Whether the process answers."""

    live: bool = Field(description="Always true: a process that does not live does not answer.")


class Readiness(BaseModel):
    """Whether requests should be sent here."""

    ready: bool = Field(description="False while the service starts or stops.")
    live: bool = Field(description="Always true.")


class ModelReadiness(BaseModel):
    """Whether requests to a model should be sent here."""

    name: str = Field(description="The model.")
    ready: bool = Field(description="False while the service starts or stops.")


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str = Field(description="`lossmeter`.")
    version: str = Field(description="Of the service.")
    extensions: list[str] = Field(description="What is understood beyond the protocol.")


class TensorMetadata(BaseModel):
    """What a tensor looks like."""

    name: str = Field(description="The tensor.")
    datatype: Datatype = Field(
        description="The widest that loses nothing. Inputs may have any other; floats of 32 bits or fewer are "
        "computed, and answered, in FP32."
    )
    shape: list[int] = Field(description="-1 for an axis of any length. Binary losses take rank 1, too.")


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str = Field(description="The model: the name of a loss.")
    versions: list[str] = Field(description="Its versions.")
    platform: str = Field(description="`lossmeter_numpy`.")
    inputs: list[TensorMetadata] = Field(
        description="Of `logits`, `probabilities` and `log_probabilities` exactly one is sent; `targets` always; "
        "the others are optional."
    )
    outputs: list[TensorMetadata] = Field(description="Those that may be asked for.")


class ModelList(BaseModel):
    """The models."""

    models: list[str] = Field(description="Their names.")


class IndexedModel(BaseModel):
    """A model in the index of the repository."""

    name: str = Field(description="The model.")
    version: str = Field(description="Its version.")
    state: Literal["READY", "UNAVAILABLE"] = Field(description="Whether it answers.")
    reason: str = Field(description="Why it does not; empty if it does.")


class InferInput(BaseModel):
    """A tensor of a request: with `data`, or with `parameters.binary_data_size` and its bytes behind the JSON."""

    name: str = Field(description="One of the model's inputs.")
    shape: list[int] = Field(description="Its shape.")
    datatype: Datatype = Field(description="Its datatype. FP16 and BF16 travel as bytes only.")
    parameters: Parameters = optional("`binary_data_size`: bytes of the tensor behind the JSON.")
    data: list[Any] = optional("The elements, nested as the shape says, or flat and row-major.")


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    name: str = Field(description="One of the model's outputs.")
    parameters: Parameters = optional("`binary_data`: whether it is to follow the JSON as bytes.")


class InferRequest(BaseModel):
    """A batch, in tensors. Members that are not named here are passed over."""

    id: str = optional("Repeated in the answer.")
    parameters: Parameters = optional(
        "The loss's own (one number each), "
        + ", ".join(f"`{name}`" for name in OPTIONS)
        + ", as in /v1/score, but "
        "`reduction` is `none` by default, for clients that join batches and split the answer by rows. Of "
        "`poly1`, `epsilon` is the loss's own. And `binary_data_output`: whether outputs are binary unless they "
        "say otherwise. Those that Triton reserves are passed over."
    )
    inputs: list[InferInput] = Field(
        min_length=1,
        description="`logits`, `probabilities` or `log_probabilities`, `[n, classes]` (with a binary loss also `[n]`); "
        "`targets`, `[n]` integers or `[n, classes]`, also BOOL; optional `sample_weights` `[n]`, `class_weights` "
        "`[classes]`, and parameters of the loss that have a number per class.",
    )
    outputs: list[RequestedOutput] = optional(
        "What the answer is to hold. Default: `losses` and `gradients`."
    )


class InferOutput(BaseModel):
    """A tensor of an answer."""

    name: str = Field(description="The output.")
    shape: list[int] = Field(description="Its shape.")
    datatype: Literal["FP32", "FP64"] = Field(description="FP32 if the model's input had 32 bits or fewer.")
    parameters: Parameters = optional("`binary_data_size`: bytes of the tensor behind the JSON.")
    data: list[Number] = optional("The elements, flat and row-major, unless they are binary.")


class InferAnswer(BaseModel):
    """The outputs, in the order in which they were asked for."""

    model_name: str = Field(description="The model.")
    model_version: str = Field(description="Its version.")
    id: str = optional("That of the request, if it had one.")
    outputs: list[InferOutput] = Field(description="The tensors.")


class InferenceError(BaseModel):
    """A refusal, as clients of the protocol read it."""

    error: str = Field(description="What is wrong, where, and what would be accepted.")
