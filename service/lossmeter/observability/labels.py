"""Which series a request belongs to: from labels that anyone may send to few that anyone can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OTHER: Final = "other"
"""The value of every label beyond the cap."""

LONGEST: Final = 64


class Series:
    """The series of the allow-listed labels, up to a number of them.

    A label that is not in the list is passed over; one that is not sent is empty. Those that come when there are as
    many series as may be are counted together, under ``other``. Every process has its own cap.
    """

    def __init__(self, names: Sequence[str], most: int) -> None:
        self.names = tuple(names)
        self._most = most
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._none = ("",) * len(self.names)
        self._other = (OTHER,) * len(self.names)

    def of(self, labels: Mapping[str, str] | None) -> tuple[str, ...]:
        """The values of the labels, in the order of the names."""
        if not labels:
            return self._none
        sent = tuple([labels.get(name, "") for name in self.names])
        found = self._known.get(sent)
        if found is None:
            if len(self._known) >= self._most:
                return self._other
            found = self._known[sent] = tuple(_clean(value) for value in sent)
        return found


def _clean(value: str) -> str:
    """What fits a line of text: neither control characters nor halves of surrogate pairs, nor a novel."""
    return "".join(letter if letter.isprintable() else "_" for letter in value[:LONGEST])
