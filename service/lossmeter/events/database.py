"""What the store needs of a database: two have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

Row = tuple[Any, ...]


class StoreUnavailableError(Exception):
    """The database cannot be used just now; nothing was written."""


class Database(Protocol):
    """A database that one thread at a time uses, and other processes, too."""

    def transaction(self, names: Iterable[str] = ()) -> AbstractContextManager[None]:
        """What is done in this block is done wholly or not at all, and is on the disk when it ends.

        Args:
            names: of what it is about; two transactions that share one run after each other.

        Raises:
            StoreUnavailableError: it is not done.
        """
        ...

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """A statement of ``events.sql``, in a transaction; the rows that it finds."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...
