"""From an event to what it tells of an exchange. What the numbers are is configured, and never guessed from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.engine.options import Input
from lossmeter.errors import InvalidInputError, MalformedBodyError, TooLargeError
from lossmeter.events.exchange import Asked, Prediction, Truth, cleaned
from lossmeter.wire.arrays import as_array, count_numbers
from lossmeter.wire.oip import Limits, Tensors, logged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.events.exchange import Found
    from lossmeter.wire.cloudevents import Event

REQUEST: Final = ("org.kubeflow.serving.inference.request", "io.seldon.serving.inference.request")
RESPONSE: Final = ("org.kubeflow.serving.inference.response", "io.seldon.serving.inference.response")
FEEDBACK: Final = "io.lossmeter.feedback"

KINDS: Final = (*REQUEST, *RESPONSE, FEEDBACK)
"""Types of events that are looked at; all others are taken and dropped, for else a broker would send them again."""

_FLOATS: Final = ("FP16", "BF16", "FP32", "FP64")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the numbers of a model are.

    Attributes:
        input: what its outputs are.
        output: the name of the output that is scored; None: the first.
        targets: the name of the input that holds the truth, where requests carry it.
        binary: whether one number per row is of the second of two classes.
        labels: of a series, each with the attributes that may give its value, the first that is there.
    """

    input: Input = "probabilities"
    output: str | None = None
    targets: str | None = None
    binary: bool = False
    labels: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a payload may hold: bytes out of gzip, numbers, levels, and columns."""

    max_bytes: int
    max_elements: int
    max_depth: int
    max_classes: int


def found(event: Event, meaning: Meaning, bounds: Bounds) -> Found | None:
    """What an event tells; None where it is of another type than ``KINDS``, or a feedback, which others read.

    Raises:
        LossmeterError: the payload is not what the configuration says; paths begin at ``data``.
    """
    if event.type in REQUEST:
        truth = None
        if meaning.targets is not None:
            targets = _targets(*_document(event, bounds), meaning.targets, bounds)
            truth = None if targets is None else Truth(_id(event), targets)
        return Asked(_id(event), _series(event, meaning), truth)
    if event.type in RESPONSE:
        values = _predictions(*_document(event, bounds), meaning, bounds)
        return Prediction(_id(event), _series(event, meaning), meaning.input, values)
    return None


def _id(event: Event) -> str:
    """What both events of an exchange have alike; of Seldon's, ids are each event's own."""
    return event.attributes.get("requestid") or event.id


def _series(event: Event, meaning: Meaning) -> dict[str, str]:
    said = {
        label: next((event.attributes[name] for name in names if event.attributes.get(name)), "")
        for label, names in (meaning.labels or {}).items()
    }
    return cleaned(said)


def _document(event: Event, bounds: Bounds) -> tuple[dict[str, Any], memoryview]:
    """The document of a payload, and what lies behind it."""
    document, rest = event.data, memoryview(b"")
    if isinstance(document, bytes):
        limits = Limits(bounds.max_elements, bounds.max_depth)
        document, rest = logged.split(logged.unpacked(document, bounds.max_bytes), limits)
    if not isinstance(document, dict):
        raise MalformedBodyError(
            'The data of this event is a JSON object, with "outputs" or "predictions", "inputs" or "instances".'
        )
    numbers = count_numbers(document)
    if numbers > bounds.max_elements:
        raise TooLargeError(f"{numbers} numbers; at most {bounds.max_elements} are taken in one event")
    return document, rest


def _predictions(
    document: dict[str, Any], rest: memoryview, meaning: Meaning, bounds: Bounds
) -> NDArray[Any]:
    """The output that is scored, of the Open Inference Protocol or of KServe's protocol V1."""
    if "outputs" in document:
        tensor = Tensors(rest, bounds.max_elements, "outputs").one(document, meaning.output)
        if tensor is None:
            raise InvalidInputError.at("data", "outputs", detail=f"none is called {meaning.output!r}")
        path: tuple[str, ...] = ("data", "outputs")
        values = tensor.values
        if tensor.datatype not in _FLOATS:
            detail = f"{meaning.input} are wanted, which are floats; this output is {tensor.datatype}"
            raise InvalidInputError.at(*path, detail=detail)
    elif "predictions" in document:
        path = ("data", "predictions")
        values = as_array(_column(document["predictions"], meaning.output), path, ranks=(1, 2))
    else:
        detail = 'an answer with "outputs" (Open Inference Protocol) or "predictions" (V1) is wanted'
        raise InvalidInputError.at("data", detail=detail)
    return _checked(values, path, meaning, bounds)


def _checked(values: NDArray[Any], path: tuple[str, ...], meaning: Meaning, bounds: Bounds) -> NDArray[Any]:
    if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004 - as servers write one number per row
        values = values[:, 0]
    if values.ndim not in (1, 2) or not values.size:
        detail = f"{meaning.input} of shape [n, classes] are wanted, not {list(values.shape)}"
        raise InvalidInputError.at(*path, detail=detail)
    if values.ndim == 1 and not meaning.binary:
        detail = (
            "one number per row may be a class as well as a score; if it is that of the second of two classes, "
            "say so: LOSSMETER_EVENTS_BINARY=true, or binary=true in the address"
        )
        raise InvalidInputError.at(*path, detail=detail)
    if values.ndim == 2 and values.shape[1] > bounds.max_classes:  # noqa: PLR2004 - a matrix
        raise InvalidInputError.at(
            *path, detail=f"{values.shape[1]} columns; at most {bounds.max_classes} are taken"
        )
    if not np.isdtype(values.dtype, "real floating"):
        values = values.astype(np.float64)
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _column(predictions: object, name: str | None) -> object:
    """Of an object for each row, as TensorFlow Serving writes several outputs, the member that is scored."""
    if not (isinstance(predictions, list) and predictions and isinstance(predictions[0], dict)):
        return predictions
    if name is None:
        detail = "rows are objects here; say which member is scored: LOSSMETER_EVENTS_OUTPUT"
        raise InvalidInputError.at("data", "predictions", detail=detail)
    rows = [row.get(name) if isinstance(row, dict) else None for row in predictions]
    for place, row in enumerate(rows):
        if row is None:
            raise InvalidInputError.at("data", "predictions", place, detail=f"has no member {name!r}")
    return rows


def _targets(document: dict[str, Any], rest: memoryview, name: str, bounds: Bounds) -> NDArray[Any] | None:
    """The truth that a request carries, if it does."""
    if "inputs" in document:
        tensor = Tensors(rest, bounds.max_elements, "inputs").one(document, name)
        if tensor is None:
            return None
        values = tensor.values
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values  # noqa: PLR2004 - a column
    if name in document:
        return as_array(document[name], ("data", name), ranks=(1, 2))
    return None
