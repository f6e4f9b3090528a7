"""The store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossmeter.events.sqlite import SQLiteDatabase
from lossmeter.events.store import Caps, Store

if TYPE_CHECKING:
    from lossmeter.events.database import Database
    from lossmeter.settings import Settings


def opened(settings: Settings) -> Store:
    """Ready for use.

    Raises:
        StoreUnavailableError: it cannot be.
    """
    caps = Caps(
        settings.events_seconds,
        settings.events_rows,
        settings.events_bytes,
        settings.events_days,
        settings.events_series,
    )
    return Store(_database(settings), caps)


def _database(settings: Settings) -> Database:
    if settings.events_file is not None:
        return SQLiteDatabase(settings.events_file)
    from lossmeter.events.postgres import PostgresDatabase  # noqa: PLC0415 - psycopg is an extra

    assert settings.events_store is not None  # noqa: S101 - or there would be no store
    return PostgresDatabase(settings.events_store.get_secret_value())
