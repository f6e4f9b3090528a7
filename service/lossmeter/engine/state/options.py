"""The options that states must share to be added up, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.losses import make_loss
from lossmeter.engine.options import Options
from lossmeter.engine.state.layout import LONGEST_NAME, MOST_BINS, MOST_CLASSES, MOST_DIMENSIONS, Shape
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.losses import Loss

FIELDS = (
    "loss",
    "classes",
    "truth",
    "class_weights",
    "label_smoothing",
    "ignore_index",
    "temperature",
    "epsilon",
    "bins",
    "k",
    "clustered",
    "slices",
)
"""In the order in which they are written.

* loss: name and parameters, as a request has them.
* truth: ``classes``, ``binary`` (Float[n], of two classes) or ``labels`` (Float[n, labels], each true or not).
* clustered: whether units are clusters.
* slices: the names of the dimensions, sorted.
"""

TRUTHS = ("classes", "binary", "labels")


def loss_options(loss: Loss) -> dict[str, Any]:
    """A loss as a request has it, its arrays as lists."""
    said: dict[str, Any] = {"name": loss.name}
    for name in loss.parameters():
        value = getattr(loss, name)
        if value is not None:
            said[name] = value.astype(np.float64).tolist() if isinstance(value, np.ndarray) else float(value)
    return said


def fingerprint(options: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that differ where any option does."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]


def shape_of(options: Mapping[str, Any], slices: int) -> Shape:
    """What the keys of the tables are bounded by."""
    return Shape(options["classes"], options["bins"], slices)


def read_options(sent: object) -> dict[str, Any]:
    """The options of a document, checked.

    Raises:
        InvalidInputError: what is missing, unknown or out of range.
    """
    if not isinstance(sent, dict) or set(sent) != set(FIELDS):
        raise InvalidInputError.at("options", detail=f"an object is wanted with exactly {', '.join(FIELDS)}")
    options = {name: sent[name] for name in FIELDS}
    _read_loss(options)
    _whole(options, "classes", 1, MOST_CLASSES)
    _whole(options, "bins", 1, MOST_BINS)
    _whole(options, "k", 1, MOST_CLASSES)
    if options["ignore_index"] is not None:
        _whole(options, "ignore_index", -(2**63), 2**63 - 1)
    if options["truth"] not in TRUTHS:
        raise _wrong("truth", f"one of {', '.join(TRUTHS)} is wanted")
    if type(options["clustered"]) is not bool:
        raise _wrong("clustered", "true or false is wanted")
    for name in ("label_smoothing", "temperature", "epsilon"):
        options[name] = _number(options[name], name)
    try:
        Options(
            label_smoothing=options["label_smoothing"],
            temperature=options["temperature"],
            epsilon=options["epsilon"],
        )
    except InvalidInputError as error:
        name = str(error.problems[0].path[0])
        raise _wrong(name, error.problems[0].detail) from error
    _read_weights(options)
    _read_dimensions(options["slices"])
    return options


def _read_loss(options: dict[str, Any]) -> None:
    """Written again as it would be here, so that there is one way to write it."""
    if not isinstance(options["loss"], dict):
        raise _wrong("loss", "an object with name and parameters is wanted")
    try:
        loss = make_loss(options["loss"])
    except InvalidInputError as error:
        raise InvalidInputError.at(
            "options", *error.problems[0].path, detail=error.problems[0].detail
        ) from error
    if loss_options(loss) != {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in options["loss"].items()
    }:
        raise _wrong("loss", "every parameter of the loss is wanted, as numbers")
    options["loss"] = loss_options(loss)


def _read_weights(options: dict[str, Any]) -> None:
    sent = options["class_weights"]
    if sent is None:
        return
    if not isinstance(sent, (list, np.ndarray)) or len(sent) != _weights(options):
        raise _wrong("class_weights", f"null or {_weights(options)} numbers are wanted")
    weights = [_number(weight, "class_weights") for weight in sent]
    if not all(0 <= weight <= MOST_WEIGHT for weight in weights):
        raise _wrong("class_weights", "numbers from 0 to 2^900 are wanted")
    options["class_weights"] = weights


def _weights(options: Mapping[str, Any]) -> int:
    return int(options["classes"])


def _read_dimensions(sent: object) -> None:
    if not (
        isinstance(sent, list)
        and len(sent) <= MOST_DIMENSIONS
        and all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in sent)
        and sent == sorted(set(sent))
    ):
        detail = f"at most {MOST_DIMENSIONS} names are wanted, sorted, each once, of 1 to {LONGEST_NAME} characters"
        raise _wrong("slices", detail)


def _whole(options: dict[str, Any], name: str, least: int, most: int) -> None:
    value = options[name]
    if type(value) is not int or not least <= value <= most:
        raise _wrong(name, f"a whole number in {least} … {most} is wanted")


def _number(value: object, name: str) -> float:
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float, np.floating)):
        raise _wrong(name, "a number is wanted")
    if isinstance(value, int) and abs(value) > 2**53:
        raise _wrong(name, "a number in the range of doubles is wanted")
    return float(value) + 0.0


def _wrong(name: str, detail: str) -> InvalidInputError:
    return InvalidInputError.at("options", name, detail=detail)


MOST_WEIGHT = 2.0**900
"""A row that weighs more does not enter a state: products of weights must stay in the range of doubles."""
