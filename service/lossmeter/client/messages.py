"""How a batch travels, and how its scores come back: as JSON, or as bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from lossmeter.client import answers
from lossmeter.client.results import Scores
from lossmeter.client.steps import Buffer
from lossmeter.engine import KLBreakdown
from lossmeter.wire import json, npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.client.batch import Batch
    from lossmeter.client.steps import Answer

_LOSS_NUMBERS: Final = 64
"""Room for the parameters of a loss and other single numbers."""

_WEIGHTS: Final = "class_weights"

_TEXTS: Final = frozenset(("slices", "cluster"))

_LONGEST_QUERY: Final = 2000
"""Characters that every proxy lets pass, before they are quoted."""

_NPZ_MEMBER: Final = 30 + 46 + 2 * 32 + 128
"""Bytes of an array in an npz file beside its numbers: the heads of zip, its name twice, the head of npy."""

_NPZ_END: Final = 22

_SLICES: Final = 8 * 300
"""Bytes at most of the names of dimensions, as many and as long as the server takes."""

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

    def write(self, batch: Batch, accept: str) -> Message:
        """The request for a batch."""

    def room(self, batch: Batch) -> tuple[int, int]:
        """Bytes at most of all but the rows, and of one row, on the way."""


class Json:
    """The door for everyone; float32 makes a detour by doubles, exactly."""

    def write(self, batch: Batch, accept: str) -> Message:
        """Everything in one document."""
        # orjson would write a float32 in digits that make another double than the float32 is.
        return document(
            {name: wide(value) for name, value in {**batch.options, **batch.rows}.items()}, accept
        )

    def room(self, batch: Batch) -> tuple[int, int]:
        """Numbers are counted at their longest."""
        options = {name: option for name, option in batch.options.items() if name != "slices"}
        texts = batch.options.get("slices", {}).values()
        # A character can take six bytes, as an escape.
        longest = sum(6 * max(map(len, column), default=0) + 3 for column in texts)
        fixed = len(json.encode(options)) + sum(len(name) + 8 for name in batch.rows) + _SLICES
        return fixed, _LONGEST_NUMBER * numbers(batch)[1] + longest


class Npz:
    """The memory of the arrays, copied only where it is not contiguous; the options go into the query."""

    def write(self, batch: Batch, accept: str) -> Message:
        """The arrays in the body, of the width they have."""
        headers = {"Content-Type": answers.NPZ, "Accept": accept}
        # Mantissas do not shrink: a gigabit carries them faster than a core compresses them.
        headers["Accept-Encoding"] = "identity"
        return Message(headers, npz.write(self._arrays(batch)), _query(batch.options))

    def room(self, batch: Batch) -> tuple[int, int]:
        """Numbers are counted as they lie in memory."""
        arrays = self._arrays(batch)
        beside = sum(array.nbytes for name, array in arrays.items() if name not in batch.rows)
        each = sum(array.dtype.itemsize * math.prod(array.shape[1:]) for array in batch.rows.values())
        return beside + _NPZ_MEMBER * len(arrays) + _NPZ_END, each

    def _arrays(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """The arrays of the rows, and those beside them that the query would be too short for."""
        weights = batch.options.get(_WEIGHTS)
        return {**batch.rows, **({_WEIGHTS: weights} if isinstance(weights, np.ndarray) else {})}


def _query(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The options as the query has them: words as they are, else JSON; an array of weights goes with the rows."""
    return [
        (name, value if isinstance(value, str) else json.encode(wide(value)).decode())
        for name, value in options.items()
        if name != _WEIGHTS or not isinstance(value, np.ndarray)
    ]


def document(fields: Mapping[str, Any], accept: str = answers.JSON) -> Message:
    """A JSON request."""
    return Message({"Content-Type": answers.JSON, "Accept": accept}, [json.encode(dict(fields))])


def codec(batch: Batch, *, binary: bool) -> Codec:
    """The best way for a batch: as bytes, if the server reads them and the query has room for the options.

    Texts of rows always go as JSON: whether float32 is computed in float32 must not depend on how many there are.
    """
    if not binary or not _TEXTS.isdisjoint(batch.options):
        return Json()
    return Npz() if sum(len(value) for _, value in _query(batch.options)) <= _LONGEST_QUERY else Json()


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
