"""What is known of one exchange with a model: that it was asked, what it predicted, what was true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from lossmeter.engine.options import Input

LONGEST_LABEL: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What was true, of every prediction with this id.

    Attributes:
        id: of the exchange.
        targets: ``Int[n]`` class indices, or ``Float[n, classes]`` distributions.
        labels: that the series of the predictions have beside their own.
    """

    id: str
    targets: NDArray[Any]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A model was asked.

    Attributes:
        id: of the exchange.
        labels: of the series.
        truth: that the request itself carried.
    """

    id: str
    labels: Mapping[str, str]
    truth: Truth | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model answered.

    Attributes:
        id: of the exchange.
        labels: of the series.
        input: what the values are.
        values: ``Float[n, classes]``, or ``Float[n]`` of the second of two classes.
    """

    id: str
    labels: Mapping[str, str]
    input: Input
    values: NDArray[Any]


Found: TypeAlias = Asked | Prediction | Truth


def cleaned(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as they may stand in a database and on a line of text, sorted; empty ones are none."""
    return {
        name: "".join(letter if letter.isprintable() else "_" for letter in value[:LONGEST_LABEL])
        for name, value in sorted(labels.items())
        if value
    }
