"""The store of events, for the routes: one job at a time, off the event loop, refused rather than left to wait."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread
from starlette.exceptions import HTTPException

from lossmeter import engine
from lossmeter.api import answers
from lossmeter.api.limits import RETRY_AFTER
from lossmeter.api.schemas.events import USUAL_METRICS
from lossmeter.api.schemas.state import encoded
from lossmeter.api.work import Cores
from lossmeter.events import keeping
from lossmeter.events.database import StoreUnavailableError
from lossmeter.events.pairing import Intake, Outcome
from lossmeter.events.payloads import Meaning
from lossmeter.events.sqlite import SQLiteDatabase
from lossmeter.events.store import Caps, Store, StoreFullError, today

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lossmeter.api.schemas.events import EventsReportQuery
    from lossmeter.errors import InvalidInputError
    from lossmeter.events.database import Database
    from lossmeter.events.exchange import Found
    from lossmeter.events.keeping import Series
    from lossmeter.events.store import Usage
    from lossmeter.observability.meter import Meter
    from lossmeter.settings import Settings

    States = list[tuple[str, str, str, bytes]]

T = TypeVar("T")

LOG: Final = logging.getLogger(__name__)

OFF: Final = (
    "Events are not taken here: LOSSMETER_EVENTS_STORE says where they wait for the truth, and is not set."
)

MOST_SCORED: Final = 256
"""So many pairs are scored before they are added to the states of their series, which costs as much for one."""

HOUSEWORK_SECONDS: Final = 60.0

USUAL_DAYS: Final = 7


class Events:
    """The store of this process.

    Attributes:
        meaning: of the numbers of models, as the settings have it.
    """

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self.meaning = Meaning(
            settings.events_input,
            settings.events_output,
            settings.events_targets,
            settings.events_binary,
            settings.attributes_of_labels,
        )
        self._settings = settings
        self._meter = meter
        # Transactions of a process would only wait for each other.
        self._turns = Cores(1, settings.max_queue, settings.max_queue_seconds)
        self._scored = 0
        self._done = time.monotonic()

    async def open(self) -> None:
        """Opens the store, before requests are taken.

        Raises:
            RuntimeError: it cannot be; says why.
        """
        try:
            self._store = await anyio.to_thread.run_sync(lambda: _store(self._settings))
        except StoreUnavailableError as error:
            raise RuntimeError(f"LOSSMETER_EVENTS_STORE cannot be used: {error}") from None
        self._intake = Intake(
            self._store, self._settings.events_tolerance, self._meter.count, self._settings.threads
        )

    def close(self) -> None:
        """Lets go of it."""
        self._store.close()

    async def take(self, found: Sequence[Found]) -> list[Outcome | InvalidInputError]:
        """What became of each; it is on the disk.

        Raises:
            HTTPException: 503, nothing was taken.
        """
        return await self._in_turn(lambda: self._take(found))

    async def read(self, query: EventsReportQuery) -> tuple[States, Usage]:
        """The packed states of a period, everything that was scored in them, and what else there is."""
        until = query.until or today()
        since = query.since or min(until, today(1 - USUAL_DAYS))

        def read() -> tuple[States, Usage]:
            self._keep()
            with self._store.transaction(()):
                self._store.sweep()
                return self._store.states(since, until), self._store.usage()

        return await self._in_turn(read)

    def _take(self, found: Sequence[Found]) -> list[Outcome | InvalidInputError]:
        try:
            outcomes = self._intake.take(found)
        except StoreFullError:
            # What has been scored makes room.
            self._keep()
            outcomes = self._intake.take(found)
        self._scored += sum(isinstance(each, Outcome) and each.name == "scored" for each in outcomes)
        self._tidy()
        return outcomes

    def _tidy(self) -> None:
        """Now and then; what was taken is safe, so a failure is nobody's but the log's."""
        is_due = time.monotonic() - self._done > min(HOUSEWORK_SECONDS, self._settings.events_seconds / 10)
        if self._scored < MOST_SCORED and not is_due:
            return
        try:
            self._keep()
            with self._store.transaction(()):
                self._store.sweep()
        except Exception:
            LOG.exception("what was scored is not in the states yet; it will be tried again")

    def _keep(self) -> None:
        self._scored, self._done = 0, time.monotonic()
        keeping.keep(self._store, self._settings.events_tolerance, self._settings.threads)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        try:
            return await self._turns.begin(work)
        except StoreFullError:
            detail = "The store is full of what waits for its other half; nothing was taken."
            raise HTTPException(503, detail, RETRY_AFTER) from None
        except StoreUnavailableError as error:
            LOG.warning("the store of events cannot be used: %s", error)
            detail = "The store of events cannot be used just now; nothing was taken."
            raise HTTPException(503, detail, RETRY_AFTER) from None


def reported(states: States, usage: Usage, query: EventsReportQuery) -> dict[str, Any]:
    """What was read, as the document of an answer."""
    found = keeping.merged(states, query.labels or {})
    return {
        "series": [_told(series, query) for series in found],
        "waiting": {
            "requests": usage.asked,
            "predictions": usage.predictions,
            "truths": usage.truths,
        },
        "rows": usage.rows,
        "bytes": usage.bytes,
    }


def _told(series: Series, query: EventsReportQuery) -> dict[str, Any]:
    metrics = USUAL_METRICS if query.metrics is None else query.metrics
    report = engine.report(series.state, level=query.level, metrics=metrics)
    document: dict[str, Any] = {
        "labels": dict(series.labels),
        "since": series.since,
        "until": series.until,
        "report": answers.members(report),
    }
    if "state" in (query.include or ()):
        document["state"] = encoded(series.state, "binary")
    return document


def _store(settings: Settings) -> Store:
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
