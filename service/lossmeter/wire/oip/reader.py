"""Requests: a document, and behind it the bytes of its binary tensors.

Members that the protocol does not know are passed over: KServe's client adds ``model_name``, MLServer's nested
``headers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from lossmeter.errors import MalformedBodyError
from lossmeter.wire.ledger import shorten
from lossmeter.wire.oip import tokens
from lossmeter.wire.oip.message import HEADER_LENGTH, Request, RequestedOutput
from lossmeter.wire.oip.tensors import Tensors, read_list, read_object, read_parameters, read_text

ALIGNMENT: Final = 64
"""Bytes of a cache line: arithmetic on memory that begins within a number is slow."""


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
    document = read_object(found, "the body")
    parameters = read_parameters(document, "/parameters")
    binary = _flag(parameters, "binary_data_output", "/parameters", default=False)
    return Request(
        id=_id(document),
        parameters=parameters,
        inputs=Tensors(view[len(text) :], limits.max_elements).read(document),
        outputs=_outputs(document.get("outputs"), default=binary),
        binary=binary,
    )


def _outputs(value: object, *, default: bool) -> tuple[RequestedOutput, ...] | None:
    """The outputs that are wanted by name; what says nothing else follows the request, as in Triton."""
    entries = [] if value is None else read_list(value, "/outputs")
    outputs: dict[str, RequestedOutput] = {}
    for index, found in enumerate(entries):
        at = f"/outputs/{index}"
        entry = read_object(found, at)
        name = read_text(entry, "name", at)
        parameters = read_parameters(entry, f"{at}/parameters")
        if name in outputs:
            raise MalformedBodyError(
                f"{at}/name: {shorten(name)!r} is there already; each output comes once."
            )
        outputs[name] = RequestedOutput(
            name, _flag(parameters, "binary_data", f"{at}/parameters", default=default)
        )
    return tuple(outputs.values()) or None


def _id(document: dict[str, Any]) -> str | None:
    return None if document.get("id") is None else read_text(document, "id", "")


def _flag(parameters: dict[str, Any], name: str, at: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise MalformedBodyError(f"{at}/{name}: true or false is wanted.")
    return value
