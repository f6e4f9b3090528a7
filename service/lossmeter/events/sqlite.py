"""A file, for one replica with any number of worker processes. It must be on a disk of this machine."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from lossmeter.events.database import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lossmeter.events.database import Row

PATIENCE: Final = 10.0
"""Seconds to wait for another process that is writing."""

_SETTINGS: Final = (
    # Readers and the one writer do not wait for each other, and a process that dies leaves nothing half done.
    "PRAGMA journal_mode = WAL",
    # What was answered is on the disk, also when the machine loses its power.
    "PRAGMA synchronous = FULL",
)


_PAUSE: Final = 0.01


class SQLiteDatabase:
    """A database in a file, which is made if it is not there."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            for setting in _SETTINGS:
                _set(self._connection, setting)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{path}: {error}") from None

    @contextmanager
    def transaction(self, names: Iterable[str] = ()) -> Iterator[None]:
        """All transactions run after each other, so the names need no locks."""
        del names
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise StoreUnavailableError(str(error)) from error

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """As the protocol says."""
        return self._connection.execute(statement.replace("{bytes}", "BLOB"), parameters).fetchall()

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()


def _set(connection: sqlite3.Connection, setting: str) -> None:
    """Tries until the others let it.

    SQLite does not wait to change the journal of a new file that another process is making, but fails: two that read
    and wait to write would wait for each other.
    """
    late = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute(setting)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > late:
                raise
            time.sleep(_PAUSE)
        else:
            return
