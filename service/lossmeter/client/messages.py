"""How a batch travels, and how its scores come back: as JSON, or as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from lossmeter.client import answers
from lossmeter.client.steps import Buffer
from lossmeter.engine import KLBreakdown, Scores
from lossmeter.wire import json

if TYPE_CHECKING:
    from lossmeter.client.batch import Batch
    from lossmeter.client.steps import Answer

_LOSS_NUMBERS: Final = 64
"""Room for the parameters of a loss and other single numbers."""

_LONGEST_NUMBER: Final = 26
"""Bytes of the longest double in JSON, with its comma and its share of brackets."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request without its address.

    Attributes:
        headers: what the body is, and what is wanted back.
        body: its pieces.
        query: names and values.
    """

    headers: Mapping[str, str]
    body: Sequence[Buffer] = ()
    query: Sequence[tuple[str, str]] = ()

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(memoryview(piece).nbytes for piece in self.body)


class Codec(Protocol):
    """A way to travel."""

    def write(self, batch: Batch) -> Message:
        """The request for a batch."""

    def room(self, batch: Batch) -> tuple[int, int]:
        """Bytes at most of all but the rows, and of one row, on the way."""


class Json:
    """The door for everyone; float32 makes a detour by doubles, exactly."""

    def write(self, batch: Batch) -> Message:
        """Everything in one document."""
        # orjson would write a float32 in digits that make another double than the float32 is.
        return document({name: wide(value) for name, value in {**batch.options, **batch.rows}.items()})

    def room(self, batch: Batch) -> tuple[int, int]:
        """Numbers are counted at their longest."""
        fixed = len(json.encode(dict(batch.options))) + sum(len(name) + 8 for name in batch.rows)
        return fixed, _LONGEST_NUMBER * numbers(batch)[1]


def document(fields: Mapping[str, Any]) -> Message:
    """A JSON request."""
    return Message({"Content-Type": answers.JSON, "Accept": answers.JSON}, [json.encode(dict(fields))])


def codec(*, binary: bool) -> Codec:  # noqa: ARG001 - JSON is all that servers read so far
    """The best way for a batch."""
    return Json()


def numbers(batch: Batch) -> tuple[int, int]:
    """How many numbers there are at most beside the rows, and in one row of all arrays."""
    beside = [np.size(option) for option in batch.options.values() if not isinstance(option, (str, dict))]
    return sum(beside) + _LOSS_NUMBERS, sum(int(np.prod(array.shape[1:])) for array in batch.rows.values())


def scores(answer: Answer, dtype: np.dtype[Any] | None) -> Scores:
    """The scores of an answer.

    Raises:
        UnexpectedAnswerError: it is none.
    """
    found = answers.document(answer)
    if isinstance(found.get("kl"), dict):
        found["kl"] = answers.result(KLBreakdown, found["kl"], dtype)
    for name in ("loss", "denominator"):
        if found.get(name) is not None:
            found[name] = float(found[name])
    return answers.result(Scores, found, dtype)


def wide(value: object) -> object:
    """An array of floats as doubles, which JSON carries exactly; anything else as it is."""
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
