"""The use case of /v2 between named tensors and the engine: every loss is a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from lossmeter import engine
from lossmeter.api.schemas import document, words
from lossmeter.api.schemas.inference import OPTIONS, PARAMETERS, own_tensors
from lossmeter.engine.options import INPUTS, Part
from lossmeter.errors import InvalidInputError, Problem
from lossmeter.wire.oip import Output

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from lossmeter.errors import Step
    from lossmeter.observability.meter import Meter
    from lossmeter.settings import Settings
    from lossmeter.wire.oip import Request, Tensor

VERSION: Final = "1"
"""The one version of every model."""

_VECTORS: Final = ("sample_weights", "class_weights")

# For others to act on, which is nobody here: Triton's reserved ones, and what MLServer's codecs send.
_PASSED_OVER: Final = (
    "binary_data_output",
    "content_type",
    "headers",
    "priority",
    "sequence_end",
    "sequence_id",
    "sequence_start",
    "timeout",
)
_RESERVED: Final = "triton_"


@dataclass(frozen=True, slots=True)
class Kind:
    """A tensor that a model gives.

    Attributes:
        shape: -1 for an axis of any length.
        part: what the engine must be asked for.
        read: where it is in what the engine answers.
    """

    shape: tuple[int, ...]
    part: str | None
    read: Callable[[Any], NDArray[Any]]


OUTPUTS: Final[Mapping[str, Kind]] = {
    "losses": Kind((-1,), "losses", lambda scores: scores.losses),
    "gradients": Kind((-1, -1), "gradients", lambda scores: scores.gradients),
    "kl_divergence": Kind((-1,), "kl", lambda scores: scores.kl.kl_divergence),
    "cross_entropy": Kind((-1,), "kl", lambda scores: scores.kl.cross_entropy),
    "target_entropy": Kind((-1,), "kl", lambda scores: scores.kl.target_entropy),
    "probabilities": Kind((-1, -1), "probabilities", lambda scores: scores.probabilities),
    "loss": Kind((1,), None, lambda scores: np.array([scores.loss])),
}
"""What every model gives, by name."""

USUAL_OUTPUTS: Final = ("losses", "gradients")


def inputs(model: str) -> dict[str, tuple[int, ...]]:
    """What a model takes: names and shapes, -1 for an axis of any length."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(INPUTS, (-1, -1))
    return shapes | dict.fromkeys(("targets", *_VECTORS, *own_tensors(engine.LOSSES[model])), (-1,))


def infer(model: str, request: Request, settings: Settings, meter: Meter) -> list[Output]:
    """The outputs of a model for a request, in the order in which it asks for them.

    Raises:
        InvalidInputError: what cannot be scored; tensors and parameters are called by their names.
    """
    options = _options(model, request.parameters)
    arrays = _arrays(model, request.inputs, settings.max_classes)
    wanted = _wanted(request, str(options["reduction"]))
    loss = {"name": model} | _own(model, options, arrays)
    parts = {OUTPUTS[name].part for name in wanted}
    include = tuple(part for part in get_args(Part) if part in parts)
    labels = options.pop("labels", None)
    arguments: dict[str, Any] = options | arrays | {"loss": loss, "include": include}
    try:
        scores = meter.score(arguments, labels)
    except InvalidInputError as error:
        raise _renamed(error, request.inputs) from None
    return [Output(name, OUTPUTS[name].read(scores), binary) for name, binary in wanted.items()]


def _options(model: str, sent: Mapping[str, object]) -> dict[str, Any]:
    """The parameters of a request that are meant for the engine."""
    parameters = {
        name: value
        for name, value in sent.items()
        if name not in _PASSED_OVER and not name.startswith(_RESERVED)
    }
    if not parameters:
        return {"reduction": "none"}
    try:
        found = document.read(PARAMETERS[model], parameters).arguments()
    except InvalidInputError as error:
        raise _moved(error, lambda path: ("parameters", *path)) from None
    return {"reduction": "none"} | found


def _arrays(model: str, tensors: Mapping[str, Tensor], max_classes: int) -> dict[str, NDArray[Any]]:
    """The tensors under the names of the engine's arguments; their values are its to judge."""
    known = inputs(model)
    for index, (name, tensor) in enumerate(tensors.items()):
        if name not in known:
            detail = f"unknown input{words.suggestion(name, known)}; {model} takes {', '.join(known)}"
            raise InvalidInputError.at("inputs", index, "name", detail=detail, value=name)
        if tensor.datatype == "BOOL" and name != "targets":
            detail = "numbers are wanted; BOOL is taken for targets alone"
            raise InvalidInputError.at("inputs", index, "datatype", detail=detail)
    if "targets" not in tensors:
        raise InvalidInputError.at("inputs", detail="the input targets is required, but missing")
    arrays = {name: tensor.values for name, tensor in tensors.items()}
    for name in INPUTS:
        _check_columns(name, arrays.get(name), max_classes)
    return {name: _flat(name, values, arrays) for name, values in arrays.items()}


def _own(model: str, options: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The loss's own parameters, taken out of the options and the tensors."""
    own: dict[str, Any] = {}
    for name in engine.LOSSES[model].parameters():
        if name in options and name in arrays:
            raise InvalidInputError.at(
                "parameters", name, detail=f"there is an input {name} as well; one is taken"
            )
        for source in (options, arrays):
            if name in source:
                own[name] = source.pop(name)
    return own


def _check_columns(name: str, values: NDArray[Any] | None, most: int) -> None:
    if values is not None and values.ndim > 1 and values.shape[1] > most:
        detail = f"has {values.shape[1]} columns; at most {most} are taken"
        raise InvalidInputError.at(name, detail=detail)


def _flat(name: str, values: NDArray[Any], arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """A column as the vector that it is: MLServer's codecs send every vector as ``[n, 1]``.

    Not the predictions themselves, and not targets in the shape of predictions.
    """
    shapes = [arrays[known].shape for known in INPUTS if known in arrays]
    is_column = values.ndim == 2 and values.shape[1] == 1  # noqa: PLR2004 - rows and one column
    return values[:, 0] if is_column and name not in INPUTS and values.shape not in shapes else values


def _wanted(request: Request, reduction: str) -> dict[str, bool]:
    """The outputs by name, and whether each is to be binary."""
    if request.outputs is None:
        return dict.fromkeys(USUAL_OUTPUTS, request.binary)
    for index, output in enumerate(request.outputs):
        if output.name not in OUTPUTS:
            detail = f"unknown output{words.suggestion(output.name, OUTPUTS)}; known: {', '.join(OUTPUTS)}"
            raise InvalidInputError.at("outputs", index, "name", detail=detail, value=output.name)
        if output.name == "loss" and reduction == "none":
            detail = (
                "reduction none, the default here, has no loss; send the parameter reduction: mean or sum"
            )
            raise InvalidInputError.at("outputs", index, "name", detail=detail)
    return {output.name: output.binary for output in request.outputs}


def _renamed(error: InvalidInputError, tensors: Container[object]) -> InvalidInputError:
    """The engine's refusal in the words of this protocol, where a loss's parameters are the request's."""

    def path(sent: tuple[Step, ...]) -> tuple[Step, ...]:
        if sent[0] == "loss" and len(sent) > 1:
            own = sent[1:]
            return own if own[0] in tensors else ("parameters", *own)
        return ("parameters", *sent) if sent[0] in OPTIONS else sent

    return _moved(error, path)


def _moved(
    error: InvalidInputError, path: Callable[[tuple[Step, ...]], tuple[Step, ...]]
) -> InvalidInputError:
    problems = [Problem(path(found.path), found.detail, found.value) for found in error.problems]
    return InvalidInputError(problems, error.count)
