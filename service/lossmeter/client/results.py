"""What calls return that the engine has no result for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Health:
    """What the server says of itself.

    Attributes:
        ready: whether it takes requests.
        status: ``ok``, or why it does not: ``starting``, ``stopping``.
    """

    ready: bool
    status: str


class Answer(dict[str, Any]):
    """A document whose members are attributes as well: ``answer.metrics["accuracy"]``; its arrays are NumPy's."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the server answers
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the answer has no {name!r}; it has {', '.join(self)}") from None
