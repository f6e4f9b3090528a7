"""The store of events, for the routes: one job at a time, off the event loop, refused rather than left to wait."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread
from starlette.exceptions import HTTPException

from lossmeter import engine
from lossmeter.api import answers
from lossmeter.api.errors import RETRY_AFTER
from lossmeter.api.schemas.events import USUAL_METRICS
from lossmeter.api.schemas.state import encoded
from lossmeter.api.work import Cores
from lossmeter.events import keeping
from lossmeter.events.database import StoreUnavailableError
from lossmeter.events.opening import opened
from lossmeter.events.pairing import Intake, Outcome
from lossmeter.events.payloads import Meaning
from lossmeter.events.store import StoreFullError, today

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lossmeter.api.schemas.events import EventsReportQuery
    from lossmeter.errors import InvalidInputError
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

_UNUSABLE: Final = "the store of events cannot be used: %s"


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

    async def open(self) -> None:
        """Opens the store, before requests are taken.

        Raises:
            RuntimeError: it cannot be; says why.
        """
        try:
            self._store = await anyio.to_thread.run_sync(lambda: opened(self._settings))
        except StoreUnavailableError as error:
            raise RuntimeError(f"LOSSMETER_EVENTS_STORE cannot be used: {error}") from None
        self._intake = Intake(
            self._store, self._settings.events_tolerance, self._meter.count, self._settings.threads
        )
        self._housework = asyncio.create_task(self._keep_house())

    async def close(self) -> None:
        """Lets go of it."""
        self._housework.cancel()
        with suppress(asyncio.CancelledError):
            await self._housework
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
                states, usage = self._store.states(since, until), self._store.usage()
            self._tell(usage)
            return states, usage

        return await self._in_turn(read)

    def _take(self, found: Sequence[Found]) -> list[Outcome | InvalidInputError]:
        try:
            outcomes = self._intake.take(found)
        except StoreFullError:
            # What has been scored makes room.
            self._keep()
            outcomes = self._intake.take(found)
        self._scored += sum(isinstance(each, Outcome) and each.name == "scored" for each in outcomes)
        if self._scored >= MOST_SCORED:
            self._tidy()
        return outcomes

    async def _keep_house(self) -> None:
        """Tidies now and then, until it is cancelled: what waited too long goes also when nothing comes."""
        while True:
            with suppress(HTTPException):  # there is more to do just now
                await self._turns.begin(self._tidy)
            await asyncio.sleep(min(HOUSEWORK_SECONDS, self._settings.events_seconds / 10))

    def _tidy(self) -> None:
        """What was taken is safe, so a failure is nobody's but the log's."""
        try:
            self._keep()
            with self._store.transaction(()):
                self._store.sweep()
                usage = self._store.usage()
            self._tell(usage)
        except StoreUnavailableError as error:
            LOG.warning(_UNUSABLE, error)
        except Exception:
            LOG.exception("what was scored is not in the states yet; it will be tried again")

    def _tell(self, usage: Usage) -> None:
        self._meter.stores(
            rows=usage.rows,
            rows_limit=self._settings.events_rows,
            bytes=usage.bytes,
            bytes_limit=self._settings.events_bytes,
            requests_waiting=usage.asked,
            predictions_waiting=usage.predictions,
            truths_waiting=usage.truths,
        )

    def _keep(self) -> None:
        self._scored = 0
        keeping.keep(self._store, self._settings.events_tolerance, self._settings.threads)

    async def _in_turn(self, work: Callable[[], T]) -> T:
        try:
            return await self._turns.begin(work)
        except StoreFullError:
            detail = "The store is full of what waits for its other half; nothing was taken."
            raise HTTPException(503, detail, RETRY_AFTER) from None
        except StoreUnavailableError as error:
            LOG.warning(_UNUSABLE, error)
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
