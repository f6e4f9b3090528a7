"""CloudEvents over HTTP, read: binary, structured and batch mode.

Sources: CloudEvents 1.0.2, "HTTP Protocol Binding" and "JSON Event Format". Versions 0.3 and 1.0 differ in
nothing that is read here. Header values are percent-decoded (section 3.1.3.2), which KServe's Go library leaves out.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import numpy as np

from lossmeter.errors import MalformedBodyError
from lossmeter.wire.oip import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lossmeter.wire.oip import Limits

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
FAMILY: Final = "application/cloudevents"
"""What every media type of another mode or format begins with."""

VERSIONS: Final = ("1.0", "0.3")
MOST_EVENTS: Final = 10_000
LONGEST: Final = 512
"""Characters that an attribute may have of those that events are paired and called by."""

_REQUIRED: Final = ("specversion", "id", "source", "type")
_PREFIX: Final = "ce-"
_CHECKED: Final = (*_REQUIRED, "requestid")


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event.

    Attributes:
        attributes: all of them by name, as text.
        data: bytes as they were sent, or a JSON value that has been read; None without any.
    """

    attributes: Mapping[str, str]
    data: object

    @property
    def id(self) -> str:
        """By which the producer calls it."""
        return self.attributes["id"]

    @property
    def type(self) -> str:
        """What it tells of."""
        return self.attributes["type"]


def read(headers: Iterable[tuple[str, str]], media_type: str, body: bytes, limits: Limits) -> list[Event]:
    """The events of an HTTP message.

    Args:
        headers: names in lower case.
        media_type: without parameters, in lower case.
        body: out of its content coding.
        limits: what documents may hold.

    Raises:
        MalformedBodyError: no CloudEvents; says which attribute.
        InvalidInputError: JSON that its readers refuse.
    """
    if media_type == STRUCTURED:
        return [_structured(_decoded(body, limits), "")]
    if media_type == BATCH:
        found = _decoded(body, limits)
        items = found.tolist() if isinstance(found, np.ndarray) and not found.size else found
        if not isinstance(items, list) or len(items) > MOST_EVENTS:
            raise MalformedBodyError(f"An array of at most {MOST_EVENTS} CloudEvents is wanted.")
        return [_structured(item, f"/{place}") for place, item in enumerate(items)]
    return [_binary(headers, body)]


def _decoded(body: bytes, limits: Limits) -> object:
    return tokens.decode(body, max_depth=limits.max_depth, max_elements=limits.max_elements)


def _binary(headers: Iterable[tuple[str, str]], body: bytes) -> Event:
    attributes: dict[str, str] = {}
    for header, value in headers:
        if header.startswith(_PREFIX):
            name = header.removeprefix(_PREFIX)
            if name in attributes:
                raise MalformedBodyError(f"{header} is there twice.")
            attributes[name] = unquote(value)
    if "specversion" not in attributes:
        raise MalformedBodyError(
            "A CloudEvent is wanted: headers ce-specversion, ce-id, ce-source and ce-type, "
            f"or a body of {STRUCTURED} or {BATCH}."
        )
    return _checked(attributes, body or None, _PREFIX)


def _structured(document: object, at: str) -> Event:
    if not isinstance(document, dict):
        raise MalformedBodyError(f"{at or 'The body'}: a CloudEvent is wanted, a JSON object.")
    attributes = {
        name: _text(value, f"{at}/{name}")
        for name, value in document.items()
        if name not in ("data", "data_base64") and value is not None
    }
    data = document.get("data")
    if "data_base64" in document:
        if data is not None:
            raise MalformedBodyError(f"{at}: data or data_base64 is wanted, not both.")
        data = _unpacked(document["data_base64"], f"{at}/data_base64")
    elif isinstance(data, str):
        data = data.encode()
    return _checked(attributes, data, f"{at}/")


def _text(value: Any, at: str) -> str:  # noqa: ANN401 - a JSON value
    """An attribute: strings, booleans and integers are (CloudEvents, "Type System")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise MalformedBodyError(f"{at}: an attribute is a string, a boolean or an integer.")


def _unpacked(value: object, at: str) -> bytes:
    try:
        if isinstance(value, str):
            return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise MalformedBodyError(f"{at}: base64 is wanted.")


def _checked(attributes: dict[str, str], data: object, at: str) -> Event:
    for name in _REQUIRED:
        if not attributes.get(name):
            raise MalformedBodyError(f"{at}{name}: a CloudEvent has one that is not empty.")
    if attributes["specversion"] not in VERSIONS:
        raise MalformedBodyError(f"{at}specversion: {' or '.join(VERSIONS)} is wanted.")
    for name in _CHECKED:
        text = attributes.get(name, "")
        if len(text) > LONGEST or not text.isprintable():
            raise MalformedBodyError(f"{at}{name}: at most {LONGEST} printable characters are wanted.")
    return Event(attributes, data)
