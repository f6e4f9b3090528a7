"""Tensors: what a document says of each, and where its elements are.

What breaks the protocol is a ``MalformedBodyError`` that names the place by a JSON Pointer; only elements of ``data``
that are no numbers are an ``InvalidInputError``, as they are everywhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire.arrays import as_array
from lossmeter.wire.ledger import shorten
from lossmeter.wire.oip.datatypes import DATATYPES, LARGEST_EXACT, Datatype
from lossmeter.wire.oip.message import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lossmeter.errors import Step

_ELSEWHERE: Final = ("shared_memory_region", "classification")
"""Parameters of Triton's extensions that change where a tensor is, or what."""

_MOST_TENSORS: Final = 64
_MOST_AXES: Final = 8


class Tensors:
    """One reading of the tensors of a member, with what is left of the bytes behind the document.

    Args:
        chunks: what lies behind the document.
        max_elements: numbers in all of them.
        member: ``inputs`` or ``outputs``.
    """

    def __init__(self, chunks: memoryview, max_elements: int, member: str = "inputs") -> None:
        self._member = member
        self._chunks = chunks
        self._max_elements = max_elements
        self._elements = 0

    def read(self, document: dict[str, Any]) -> dict[str, Tensor]:
        """The tensors of a document by name, all bytes of the body accounted for."""
        tensors = {name: self._tensor(entry, index, name) for index, name, entry in self._entries(document)}
        self._check_end()
        return tensors

    def one(self, document: dict[str, Any], wanted: str | None) -> Tensor | None:
        """The tensor of this name, or the first; of the others only the bytes are accounted for.

        None where there is none of that name.
        """
        found = None
        for index, name, entry in self._entries(document):
            if found is None and wanted in (name, None):
                found = self._tensor(entry, index, name)
            else:
                self._pass_over(entry, index)
        self._check_end()
        return found

    def _entries(self, document: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """The place, the name and the entry of every tensor."""
        kind = self._member.removesuffix("s")
        entries = read_list(document.get(self._member), f"/{self._member}")
        if not entries:
            raise MalformedBodyError(f"/{self._member}: at least one {kind} is wanted.")
        names = set()
        for index, found in enumerate(entries):
            at = f"/{self._member}/{index}"
            entry = read_object(found, at)
            name = read_text(entry, "name", at)
            if name in names:
                raise MalformedBodyError(
                    f"{at}/name: {shorten(name)!r} is there already; each {kind} comes once."
                )
            names.add(name)
            yield index, name, entry

    def _check_end(self) -> None:
        if self._chunks:
            raise MalformedBodyError(
                f"{len(self._chunks)} bytes follow the last tensor; no binary_data_size accounts for them."
            )

    def _pass_over(self, entry: dict[str, Any], index: int) -> None:
        """Leaves out the bytes of a tensor of any datatype."""
        at = f"/{self._member}/{index}/parameters"
        size = read_parameters(entry, at).get("binary_data_size", 0)
        if type(size) is not int or not 0 <= size <= len(self._chunks):
            raise MalformedBodyError(
                f"{at}/binary_data_size: at most {len(self._chunks)} bytes are left, not {shorten(repr(size))}."
            )
        self._chunks = self._chunks[size:]

    def _tensor(self, entry: dict[str, Any], index: int, name: str) -> Tensor:
        at = f"/{self._member}/{index}"
        datatype = _datatype(entry, at)
        shape = _shape(entry.get("shape"), f"{at}/shape")
        self._elements += math.prod(shape)
        if self._elements > self._max_elements:
            raise TooLargeError(f"The tensors hold more than {self._max_elements} numbers.")
        parameters = read_parameters(entry, f"{at}/parameters")
        size = parameters.get("binary_data_size")
        data = entry.get("data")
        if (size is None) == (data is None):
            both = "both are here" if data is not None else "neither is here"
            raise MalformedBodyError(
                f"{at}: data or parameters.binary_data_size is wanted, one of them; {both}."
            )
        if data is None:
            flat = datatype.of_bytes(self._take(size, shape, datatype, at), self._member, index)
            return Tensor(datatype.name, flat.reshape(shape))
        if not datatype.in_json:
            # The words of Triton and KServe, which people search for.
            raise MalformedBodyError(
                f"{at}: receiving {datatype.name} data via JSON is not supported. "
                f"Please use the binary data format for input {shorten(name)!r}."
            )
        numbers = _numbers(data, datatype, shape, (self._member, index, "data"))
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


def _datatype(entry: dict[str, Any], at: str) -> Datatype:
    name = read_text(entry, "datatype", at)
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


def read_parameters(entry: dict[str, Any], at: str) -> dict[str, Any]:
    """The parameters of a request or a tensor; none are an empty object."""
    value = entry.get("parameters")
    parameters = {} if value is None else read_object(value, at)
    for name in _ELSEWHERE:
        if name in parameters:
            raise MalformedBodyError(f"{at}/{name}: this extension is not here.")
    return parameters


def read_text(entry: dict[str, Any], name: str, at: str) -> str:
    """A member that is a string."""
    value = entry.get(name)
    if not isinstance(value, str):
        raise MalformedBodyError(f"{at}/{name}: a string is wanted.")
    return value


def read_object(value: object, at: str) -> dict[str, Any]:
    """A value that is an object."""
    if not isinstance(value, dict):
        raise MalformedBodyError(f"{at}: a JSON object is wanted.")
    return value


def read_list(value: object, at: str) -> list[object]:
    """A list of objects; an empty one comes as an empty array of numbers."""
    items = value.tolist() if isinstance(value, np.ndarray) and value.size == 0 and value.ndim == 1 else value
    if not isinstance(items, list) or len(items) > _MOST_TENSORS:
        raise MalformedBodyError(f"{at}: an array of at most {_MOST_TENSORS} objects is wanted.")
    return items
