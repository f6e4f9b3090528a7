"""PostgreSQL, for several replicas. A connection that breaks is made anew by the next transaction."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from lossmeter.events.database import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lossmeter.events.database import Row

CONNECT_SECONDS: Final = 5

LOCKS: Final = 1024
"""Most that a transaction holds."""

_PATIENCE: Final = "SET statement_timeout = '30s'"
_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED"  # a lock that was waited for shows what its holder wrote
)
_LOCK: Final = "SELECT pg_advisory_xact_lock(27757, CAST(? AS INTEGER))"  # ours, among those of the database


class PostgresDatabase:
    """A database of a server.

    Args:
        url: ``postgresql://user:password@host:port/database?options``, as libpq reads it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        with self.transaction():
            self.run("SELECT 1")

    @contextmanager
    def transaction(self, names: Iterable[str] = ()) -> Iterator[None]:
        """Locks the names for as long as it runs, in one order, so that no two wait for each other."""
        try:
            self._begin()
            try:
                for key in sorted(set(map(_key, names))):
                    self.run(_LOCK, (key,))
                yield
            except BaseException:
                self._connected().rollback()
                raise
            self._connected().commit()
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError):
                self.close()
            raise StoreUnavailableError(str(error).strip()) from error

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """As the protocol says."""
        cursor = self._connected().execute(_own(statement), parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _begin(self) -> None:
        """Begins; if the connection turns out to have ended meanwhile, on a new one."""
        was_open = self._connection is not None
        try:
            self.run(_BEGIN)
        except psycopg.OperationalError:
            if not was_open:
                raise
            self.close()
            self.run(_BEGIN)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="lossmeter"
            )
            self._connection.execute(_PATIENCE)
        return self._connection


@lru_cache(maxsize=64)
def _own(statement: str) -> sql.SQL:
    """The statement in PostgreSQL's words."""
    # Statements are constants of this package, never made of what was sent.
    return sql.SQL(statement.replace("{bytes}", "BYTEA").replace("?", "%s"))


def _key(name: str) -> int:
    """A number for a name; names that share one only wait for each other in vain.

    There are few, because a server has room for some thousand locks, and a batch may have ten thousand names.
    """
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % LOCKS
