"""What the parts of a batch say of its slices, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lossmeter.client.errors import problem
from lossmeter.client.results import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SHOWN: Final = 100
"""Values of a dimension that an answer tells apart; it adds up the others as ``other``."""

_SUMS: Final = ("count", "weight")

Slices = dict[str, dict[str, Answer]]


def added(parts: Sequence[Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> Slices:
    """Counts and weights are added, all else is a mean over the weight; the values of most weight come first.

    Raises:
        TooLargeError: more values than an answer tells apart: which ones it would have shown is not known.
    """
    return {dimension: _dimension(dimension, [part[dimension] for part in parts]) for dimension in parts[0]}


def _dimension(name: str, parts: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Answer]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for part in parts:
        for value, numbers in part.items():
            found.setdefault(value, []).append(numbers)
    if len(found) > SHOWN:
        detail = (
            f"the batch has to be sent in parts, and its slices by {name} have more than {SHOWN} values: send the "
            'parts yourself, with include=["state"], then merge the states and report on them'
        )
        raise problem(413, {"title": "Content Too Large", "detail": detail})
    whole = {value: _mean(numbers) for value, numbers in found.items()}
    return dict(sorted(whole.items(), key=lambda each: (-each[1]["weight"], each[0])))


def _mean(parts: Sequence[Mapping[str, Any]]) -> Answer:
    sums = {name: sum(part[name] for part in parts) for name in _SUMS}
    weighing = [part for part in parts if part["weight"]]
    means = {
        name: sum(part[name] * part["weight"] for part in weighing) / sums["weight"] if weighing else 0.0
        for name in parts[0]
        if name not in _SUMS
    }
    return Answer(sums | means)
