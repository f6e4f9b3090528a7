"""What a caller gives to be scored, as arrays that can be cut by rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lossmeter.client.errors import problem, refused_here
from lossmeter.engine.arrays import rectangle
from lossmeter.engine.losses import LOSSES
from lossmeter.engine.weights import class_weights
from lossmeter.errors import InvalidInputError

INPUTS: Final = ("logits", "probabilities", "log_probabilities")
ROWS: Final = (*INPUTS, "targets", "sample_weights")
"""The fields with an item for every row."""

_NARROW: Final = (np.float16, np.float32)
_MATRIX: Final = 2
_DOUBLE: Final = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """One scoring.

    Attributes:
        rows: the arrays with an item for every row, by field.
        options: all other fields.
    """

    rows: Mapping[str, NDArray[Any]]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Batch:
        """The batch of these fields; those that are None were not given.

        Raises:
            InvalidInputError: rows of different lengths (the client's: like the server's, of status 422).
        """
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            rows = {str(name): _numbers(given.pop(name), name) for name in ROWS if name in given}
        except InvalidInputError as error:
            raise refused_here(error) from None
        return cls(rows, {name: plain(value) for name, value in given.items()})

    @property
    def size(self) -> int:
        """How many rows there are, judged by the first array."""
        first = next(iter(self.rows.values()), None)
        return 1 if first is None or first.ndim == 0 else len(first)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """float32 if the answer is to be in float32: what came narrow goes narrow; else None."""
        sent = next((self.rows[name].dtype for name in INPUTS if name in self.rows), None)
        return np.dtype(np.float32) if sent in _NARROW else None

    def part(self, start: int, stop: int) -> Batch:
        """Some of the rows."""
        rows = {name: array[start:stop] for name, array in self.rows.items()}
        slices = {name: column[start:stop] for name, column in self.options.get("slices", {}).items()}
        return Batch(rows, {**self.options, "slices": slices} if slices else self.options)

    def saying(self, **options: object) -> Batch:
        """The same rows with other options."""
        return replace(self, options={**self.options, **options})

    def check_can_be_cut(self) -> None:
        """Refuse arrays of different lengths: cut by rows, they would not be told apart from equal ones.

        Raises:
            InvalidInputError: the client's.
            TooLargeError: there are clusters, whose rows must stay together.
        """
        if "cluster" in self.options:
            detail = "the batch has to be sent in parts, which tears clusters: send whole clusters, and merge states"
            raise problem(413, {"title": "Content Too Large", "detail": detail})
        for name, array in self.rows.items():
            if len(array) != self.size:
                first = next(iter(self.rows))
                detail = f"{self.size} rows are wanted, as {first} has, not {len(array)}"
                raise refused_here(InvalidInputError.at(name, detail=detail))

    @property
    def has_scheme(self) -> bool:
        """Whether class weights are to be computed from the truth."""
        return isinstance(self.options.get("class_weights"), (str, dict))

    def with_weights(self, counts: NDArray[np.float64]) -> Batch:
        """The same with class weights as numbers, from the examples of each class: a part cannot know those of all.

        Raises:
            InvalidInputError: the client's, as the server would have said it.
        """
        wanted = self.options["class_weights"]
        try:
            weights = class_weights(wanted, len(counts), np.dtype(np.float64), lambda: counts)
        except InvalidInputError as error:
            raise refused_here(error) from None
        return self.saying(class_weights=weights)

    def counts(self) -> NDArray[np.float64]:
        """Examples of each class, as the engine counts them; truths that are none are left for the server to refuse."""
        values = next(self.rows[name] for name in INPUTS if name in self.rows)
        classes = values.shape[1] if values.ndim == _MATRIX else 2
        targets, ignored = self.rows["targets"], self.options.get("ignore_index")
        if targets.ndim == 1 and ignored is not None:
            targets = targets[targets != ignored]
        if is_binary(self.options.get("loss")):
            true = _sums(targets.reshape(len(targets), -1))
            return true if targets.ndim == _MATRIX else np.array([len(targets) - true[0], true[0]])
        if targets.ndim == _MATRIX:
            return _sums(targets)
        known = targets[(targets >= 0) & (targets < classes)].astype(np.intp)
        return np.bincount(known, minlength=classes).astype(np.float64)


def _numbers(value: ArrayLike, name: str) -> NDArray[Any]:
    """Rows of numbers of a width that travels."""
    array = rectangle(value, name)
    if array.dtype.kind not in "fiu":
        raise InvalidInputError.at(name, detail=f"numbers are wanted, not {array.dtype.name}")
    return array.astype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > _DOUBLE else array


def _sums(columns: NDArray[Any]) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = np.add.reduce(columns, axis=0, dtype=np.float64)
    return sums


def plain(value: object) -> Any:  # noqa: ANN401 - whatever the contract has for a field
    """A value as JSON has it, but for arrays: those are NumPy's, of any dtype of numbers."""
    match value:
        case np.generic():
            return value.item()
        case str() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(name): plain(member) for name, member in value.items()}
        case Collection() if all(isinstance(item, (str, Mapping)) for item in value):
            return [plain(item) for item in value]
    return np.asarray(value)


def is_binary(loss: object) -> bool:
    """Whether a loss, as a request names it, is one of labels."""
    name = loss.get("name") if isinstance(loss, dict) else loss
    return isinstance(name, str) and name in LOSSES and LOSSES[name].binary
