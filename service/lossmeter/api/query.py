"""Options in the query: a batch in a binary format has no other place for them.

Each has the name that it has in a JSON body and means the same; a list is written with commas or by repeating
the name, what is an object in JSON is written as one, and the parameters of a loss stand under their own names:
``?loss=focal&gamma=2&class_weights=1,2,3&include=losses,gradients``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl

import numpy as np

from lossmeter.engine import LOSSES
from lossmeter.errors import InvalidInputError, MalformedBodyError
from lossmeter.wire import json
from lossmeter.wire.piece import Groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.api.schemas.document import Document

ROWS: Final = (
    "logits",
    "probabilities",
    "log_probabilities",
    "targets",
    "sample_weights",
    "slices",
    "cluster",
)
"""What has an element per row, and is data rather than an option."""

LISTS: Final = ("include", "metrics")
"""What is a list even with a single member."""

AS_LIST: Final = {"style": "form", "explode": False, "allowEmptyValue": True}
"""How OpenAPI says that; an empty list is written as nothing at all."""

_MOST: Final = 64

# The grammar of RFC 8259, 6: what is a number in a body is one here, and nothing else is.
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def options(query: bytes) -> dict[str, Any]:
    """The query as the document that its options would be in JSON.

    Raises:
        InvalidInputError: too many, or a name that says both what another one says.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST, errors="strict"
        )
    except ValueError:
        raise InvalidInputError.at(detail=f"the query must be UTF-8 of at most {_MOST} options") from None
    found: dict[str, Any] = {}
    for name, text in pairs:
        value = _value(text)
        if name in found:
            value = [*_listed(found[name]), *_listed(value)]
        found[name] = _listed(value) if name in LISTS else value
    return found


def groups(options: dict[str, Any]) -> Groups:
    """Takes out the columns by which rows are told apart: names, where JSON has the values themselves."""
    slices, cluster = options.get("slices"), options.get("cluster")
    if isinstance(slices, (str, list)):
        del options["slices"]
    else:
        slices = ()
    if isinstance(cluster, str):
        del options["cluster"]
    else:
        cluster = None
    return Groups(tuple(map(str, _listed(slices))) if slices else (), cluster)


def merged(document: dict[str, Any], query: Mapping[str, Any], model: type[Document]) -> dict[str, Any]:
    """The document with the options of the query.

    Raises:
        InvalidInputError: an option that is in both.
    """
    for name in query:
        if name in document:
            raise InvalidInputError.at(name, detail="is in the body and in the query; send it once")
    return document | _with_loss(query, model)


def _with_loss(query: Mapping[str, Any], model: type[Document]) -> dict[str, Any]:
    """The options with the loss's parameters gathered in it, as JSON has them.

    A parameter that is called like an option (``epsilon`` of poly1) is written ``loss.epsilon``.
    """
    chosen = dict(query)
    loss = chosen.get("loss", "cross_entropy")
    if "loss" not in model.model_fields or not isinstance(loss, str) or loss not in LOSSES:
        return chosen
    parameters = {}
    for parameter in LOSSES[loss].parameters():
        name = parameter if parameter not in model.model_fields else f"loss.{parameter}"
        for spelling in (name, f"loss.{parameter}"):
            if spelling in chosen:
                parameters[parameter] = chosen.pop(spelling)
    return chosen | ({"loss": {"name": loss, **parameters}} if parameters else {})


def _value(text: str) -> object:
    """What JSON would have in the place of this text: a number, an object, an array, or else a string."""
    if _NUMBER.fullmatch(text) or text[:1] in ("{", "["):
        return _json(text)
    return [_value(part) for part in text.split(",")] if "," in text else text


def _json(text: str) -> object:
    try:
        return json.decode(text.encode())
    except MalformedBodyError as error:
        raise InvalidInputError.at(detail=f"the query holds what begins like JSON: {error}") from None


def _listed(value: object) -> list[Any]:
    """The value as a list; an empty one is written ``[]``, or as nothing at all."""
    if isinstance(value, np.ndarray):
        return cast("list[Any]", value.tolist())
    if value == "":
        return []
    return value if isinstance(value, list) else [value]
