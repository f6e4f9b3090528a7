"""Requests: what the document says of every tensor, and where its elements are.

What breaks the protocol is a ``MalformedBodyError`` that names the place by a JSON Pointer; only elements of ``data``
that are no numbers are an ``InvalidInputError``, as they are everywhere else. Members that the protocol does not know
are passed over: KServe's client adds ``model_name``, MLServer's nested ``headers``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire.arrays import as_array
from lossmeter.wire.ledger import shorten
from lossmeter.wire.oip import tokens
from lossmeter.wire.oip.datatypes import DATATYPES, LARGEST_EXACT, Datatype
from lossmeter.wire.oip.message import HEADER_LENGTH, Request, RequestedOutput, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.errors import Step

ALIGNMENT: Final = 64
"""Bytes of a cache line: arithmetic on memory that begins within a number is slow."""

_ELSEWHERE: Final = ("shared_memory_region", "classification")
"""Parameters of Triton's extensions that change where a tensor is, or what."""

_MOST_TENSORS: Final = 64
_MOST_AXES: Final = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may hold.

    Attributes:
        max_elements: numbers in all its tensors.
        max_depth: levels of its JSON.
    """

    max_elements: int
    max_depth: int = 64


def read_header_length(value: str | None) -> int | None:
    """What the header says; None where it was not sent.

    Raises:
        MalformedBodyError: no integer, or none that a model of several inputs could mean.
    """
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < len(str(2**63))):
        raise MalformedBodyError(f"{HEADER_LENGTH} is a number of bytes, not {shorten(value)!r}.")
    if int(value) == 0:
        # Triton: the whole body is the one tensor of a model that has one input.
        raise MalformedBodyError(
            f"{HEADER_LENGTH} 0 is for models of one input, and these take several; send a JSON document first."
        )
    return int(value)


def padding(header_length: int | None) -> int:
    """How many bytes to leave before a body, so that its first binary tensor lies at a multiple of ``ALIGNMENT``."""
    return -(header_length or 0) % ALIGNMENT


def read_request(body: bytearray | memoryview, header_length: int | None, limits: Limits) -> Request:
    """The request in a body; binary tensors are views of it.

    Args:
        body: decompressed.
        header_length: bytes of JSON at its beginning; None: all of it.
        limits: what it may hold.

    Raises:
        MalformedBodyError: the body breaks the protocol; says where.
        TooLargeError: more elements than the limit.
        InvalidInputError: an element of ``data`` is none of its datatype.
    """
    if header_length is not None and header_length > len(body):
        raise MalformedBodyError(f"{HEADER_LENGTH} is {header_length}, but the body has {len(body)} bytes.")
    view = memoryview(body)
    whole = header_length is None and isinstance(body, bytearray)
    text = cast("bytearray", body) if whole else bytes(view[:header_length])
    if not text:
        raise MalformedBodyError("The body is empty; a JSON object with inputs is wanted.")
    found = tokens.decode(text, max_depth=limits.max_depth, max_elements=limits.max_elements)
    document = _object(found, "the body")
    parameters = _parameters(document, "/parameters")
    binary = _flag(parameters, "binary_data_output", "/parameters", default=False)
    return Request(
        id=_id(document),
        parameters=parameters,
        inputs=_Inputs(view[len(text) :], limits.max_elements).read(document),
        outputs=_outputs(document.get("outputs"), default=binary),
        binary=binary,
    )


class _Inputs:
    """One reading of the inputs, with what is left of the bytes behind the document."""

    def __init__(self, chunks: memoryview, max_elements: int) -> None:
        self._chunks = chunks
        self._max_elements = max_elements
        self._elements = 0

    def read(self, document: dict[str, Any]) -> dict[str, Tensor]:
        """The inputs of a document by name, all bytes of the body accounted for."""
        inputs: dict[str, Tensor] = {}
        entries = _list(document.get("inputs"), "/inputs")
        if not entries:
            raise MalformedBodyError("/inputs: at least one input is wanted.")
        for index, found in enumerate(entries):
            at = f"/inputs/{index}"
            entry = _object(found, at)
            name = _text(entry, "name", at)
            if name in inputs:
                raise MalformedBodyError(
                    f"{at}/name: {shorten(name)!r} is there already; each input comes once."
                )
            inputs[name] = self._tensor(entry, index, name)
        if self._chunks:
            raise MalformedBodyError(
                f"{len(self._chunks)} bytes follow the last tensor; no binary_data_size accounts for them."
            )
        return inputs

    def _tensor(self, entry: dict[str, Any], index: int, name: str) -> Tensor:
        at = f"/inputs/{index}"
        datatype = _datatype(entry, at)
        shape = _shape(entry.get("shape"), f"{at}/shape")
        self._elements += math.prod(shape)
        if self._elements > self._max_elements:
            raise TooLargeError(f"The tensors hold more than {self._max_elements} numbers.")
        parameters = _parameters(entry, f"{at}/parameters")
        size = parameters.get("binary_data_size")
        data = entry.get("data")
        if (size is None) == (data is None):
            both = "both are here" if data is not None else "neither is here"
            raise MalformedBodyError(
                f"{at}: data or parameters.binary_data_size is wanted, one of them; {both}."
            )
        if data is None:
            flat = datatype.of_bytes(self._take(size, shape, datatype, at), "inputs", index)
            return Tensor(datatype.name, flat.reshape(shape))
        if not datatype.in_json:
            # The words of Triton and KServe, which people search for.
            raise MalformedBodyError(
                f"{at}: receiving {datatype.name} data via JSON is not supported. "
                f"Please use the binary data format for input {shorten(name)!r}."
            )
        numbers = _numbers(data, datatype, shape, ("inputs", index, "data"))
        return Tensor(datatype.name, numbers.reshape(shape))

    def _take(self, size: object, shape: tuple[int, ...], datatype: Datatype, at: str) -> memoryview:
        """The next chunk, if it has the size that the shape asks for."""
        wanted = math.prod(shape) * datatype.stored.itemsize
        if type(size) is not int or size != wanted:
            raise MalformedBodyError(
                f"{at}/parameters/binary_data_size: {datatype.name} of shape {list(shape)} has {wanted} bytes, "
                f"not {shorten(repr(size))}."
            )
        if size > len(self._chunks):
            raise MalformedBodyError(
                f"{at}: {size} bytes are announced, but only {len(self._chunks)} are left."
            )
        chunk, self._chunks = self._chunks[:size], self._chunks[size:]
        return chunk


def _numbers(
    data: object, datatype: Datatype, shape: tuple[int, ...], path: tuple[Step, ...]
) -> NDArray[Any]:
    """``data``, flat or nested as the shape says, in its datatype."""
    if datatype.name == "BOOL":
        data = _booleans(data)
    numbers = as_array(data, path, ranks=(1, 2))
    if numbers.shape not in (shape, (math.prod(shape),)):
        pointer = "/".join(map(str, path))
        raise MalformedBodyError(
            f"/{pointer}: {numbers.size} elements in shape {list(numbers.shape)}; shape {list(shape)} is announced."
        )
    return datatype.of_numbers(numbers, *path)


def _booleans(data: object) -> object:
    """What is true as 1 and what is false as 0, in lists of them."""
    if isinstance(data, list):
        return [_booleans(item) for item in data]
    return int(data) if isinstance(data, bool) else data


def _outputs(value: object, *, default: bool) -> tuple[RequestedOutput, ...] | None:
    """The outputs that are wanted by name; what says nothing else follows the request, as in Triton."""
    entries = [] if value is None else _list(value, "/outputs")
    outputs: dict[str, RequestedOutput] = {}
    for index, found in enumerate(entries):
        at = f"/outputs/{index}"
        entry = _object(found, at)
        name = _text(entry, "name", at)
        parameters = _parameters(entry, f"{at}/parameters")
        if name in outputs:
            raise MalformedBodyError(
                f"{at}/name: {shorten(name)!r} is there already; each output comes once."
            )
        outputs[name] = RequestedOutput(
            name, _flag(parameters, "binary_data", f"{at}/parameters", default=default)
        )
    return tuple(outputs.values()) or None


def _datatype(entry: dict[str, Any], at: str) -> Datatype:
    name = _text(entry, "datatype", at)
    if name not in DATATYPES:
        raise MalformedBodyError(
            f"{at}/datatype: one of {', '.join(DATATYPES)} is wanted, not {shorten(name)!r}."
        )
    return DATATYPES[name]


def _shape(value: object, at: str) -> tuple[int, ...]:
    """The shape; arrays of numbers come as arrays of doubles."""
    good = isinstance(value, np.ndarray) and value.ndim == 1 and value.size <= _MOST_AXES
    axes = value.tolist() if good and isinstance(value, np.ndarray) else [-1]
    if not all(axis >= 0 and axis <= LARGEST_EXACT and axis == int(axis) for axis in axes):
        raise MalformedBodyError(f"{at}: a short array of whole numbers from 0 is wanted, such as [2, 3].")
    return tuple(map(int, axes))


def _id(document: dict[str, Any]) -> str | None:
    return None if document.get("id") is None else _text(document, "id", "")


def _parameters(entry: dict[str, Any], at: str) -> dict[str, Any]:
    value = entry.get("parameters")
    parameters = {} if value is None else _object(value, at)
    for name in _ELSEWHERE:
        if name in parameters:
            raise MalformedBodyError(f"{at}/{name}: this extension is not here.")
    return parameters


def _flag(parameters: dict[str, Any], name: str, at: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise MalformedBodyError(f"{at}/{name}: true or false is wanted.")
    return value


def _text(entry: dict[str, Any], name: str, at: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise MalformedBodyError(f"{at}/{name}: a string is wanted.")
    return value


def _object(value: object, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedBodyError(f"{at}: a JSON object is wanted.")
    return value


def _list(value: object, at: str) -> list[object]:
    """A list of objects; an empty one comes as an empty array of numbers."""
    items = value.tolist() if isinstance(value, np.ndarray) and value.size == 0 and value.ndim == 1 else value
    if not isinstance(items, list) or len(items) > _MOST_TENSORS:
        raise MalformedBodyError(f"{at}: an array of at most {_MOST_TENSORS} objects is wanted.")
    return items
