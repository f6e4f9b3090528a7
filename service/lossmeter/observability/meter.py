"""What the service tells of itself: one of these for each process."""

from __future__ import annotations

import os
import platform
import threading
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Final

import lossmeter
from lossmeter import engine
from lossmeter.observability import quality
from lossmeter.observability.catalogue import (
    BUILD,
    EVENT_STORE,
    EVENTS,
    KERNEL,
    LOAD,
    QUALITY,
    REFUSALS,
    REQUESTS,
    SECONDS,
)
from lossmeter.observability.exposition import exposed
from lossmeter.observability.labels import Series
from lossmeter.observability.record import CURRENT, UNKNOWN, Record
from lossmeter.observability.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lossmeter.engine import Measured, Scores
    from lossmeter.observability.catalogue import Table
    from lossmeter.settings import Settings

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which processes count together, as with ``prometheus_client``."""

METHODS: Final = frozenset(("GET", "HEAD", "POST", "OPTIONS"))

_SUM: Final = len(SECONDS) + 1
_RECEIVED: Final = REQUESTS.places["lossmeter_http_request_body_bytes"]
_SENT: Final = REQUESTS.places["lossmeter_http_response_body_bytes"]
_REQUESTS: Final = LOAD.places["lossmeter_requests_in_flight"]
_BYTES: Final = LOAD.places["lossmeter_bytes_in_flight"]


class Meter:
    """Counts.

    Requests are counted by the event loop alone, batches by any thread, one at a time.
    """

    def __init__(self, settings: Settings) -> None:
        folder = os.environ.get(FOLDER)
        self._store = Store(Path(folder) if folder else None)
        self._series = Series(settings.metric_labels, settings.metric_series)
        self._threads = settings.threads
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, ...], memoryview[float]] = {}
        self._load = self._row(LOAD)
        self._load[:] = memoryview(bytes(8 * LOAD.width)).cast("d")  # a worker that died left its own
        self._load[LOAD.places["lossmeter_bytes_in_flight_limit"]] = settings.max_bytes_in_flight
        self._load[LOAD.places["lossmeter_workers"]] = 1
        self._row(BUILD, lossmeter.__version__, platform.python_version())[0] = 1

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """All that was counted, by all processes, as text, and its media type."""
        return exposed(self._store, self._series.names, accept)

    def begun(self) -> None:
        """A request begins."""
        self._load[_REQUESTS] += 1

    def ended(self, record: Record) -> None:
        """A request has been answered."""
        self._load[_REQUESTS] -= 1
        method = record.method if record.method in METHODS else UNKNOWN
        row = self._row(REQUESTS, record.route, method, str(record.status))
        seconds = perf_counter() - record.begun
        row[bisect_left(SECONDS, seconds)] += 1
        row[_SUM] += seconds
        row[_RECEIVED] += record.received
        row[_SENT] += record.sent

    def refused(self, route: str, reason: str) -> None:
        """A request has been refused."""
        self._row(REFUSALS, route, reason)[0] += 1

    def took(self, outcomes: Mapping[str, int]) -> None:
        """So many events have come to this."""
        for outcome, count in outcomes.items():
            if count:
                self._row(EVENTS, outcome)[0] += count

    def stores(self, **counts: float) -> None:
        """What the store of events holds just now.

        Args:
            **counts: named like the gauges, without ``lossmeter_events_``.
        """
        row = self._row(EVENT_STORE)
        for name, count in {"counted_timestamp_seconds": time(), **counts}.items():
            row[EVENT_STORE.places[f"lossmeter_events_{name}"]] = count

    def holds(self, size: int) -> None:
        """So many bytes of bodies are held just now."""
        self._load[_BYTES] = size

    def score(self, arguments: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> Scores:
        """The engine's scores, counted under these labels."""
        include = arguments.get("include", ("losses",))
        hidden = "losses" not in include
        wanted = dict(arguments, threads=self._threads)
        if hidden:
            wanted["include"] = (*include, "losses")
        begun = perf_counter()
        scores = engine.score(**wanted)
        seconds = perf_counter() - begun
        self.count(arguments, scores, labels, seconds)
        return replace(scores, losses=None) if hidden else scores

    def count(
        self, arguments: Mapping[str, Any], scores: Scores, labels: Mapping[str, str] | None, seconds: float
    ) -> None:
        """A batch that was scored in so many seconds.

        Args:
            arguments: what the engine was told.
            scores: what it answered, with the losses.
            labels: of the series.
            seconds: that it took.
        """
        loss = arguments.get("loss", "cross_entropy")
        name = loss if isinstance(loss, str) else loss["name"]
        changes = quality.counted(arguments, scores, judged=bool(labels), threads=self._threads)
        self._count(arguments, name, labels, changes, seconds)

    def measure(self, arguments: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> Measured:
        """The engine's metrics, counted under these labels as those of the log loss."""
        begun = perf_counter()
        found = engine.measure(**arguments, threads=self._threads)
        seconds = perf_counter() - begun
        changes = quality.measured(arguments, found, self._threads) if labels else ()
        self._count(arguments, "cross_entropy", labels, changes, seconds)
        return found

    def _count(
        self,
        arguments: Mapping[str, Any],
        loss: str,
        labels: Mapping[str, str] | None,
        changes: Iterable[tuple[int, float]],
        seconds: float,
    ) -> None:
        _, values = quality.predictions(arguments)
        record = CURRENT.get()
        if record is not None:
            record.loss, record.classes = loss, values.shape[1] if values.ndim > 1 else 1
            record.rows += len(values)
        settled = list(changes)
        with self._lock:
            _add(self._row(KERNEL, loss), enumerate((seconds, len(values), values.size)))
            if settled:
                _add(self._row(QUALITY, *self._series.of(labels), loss), settled)

    def _row(self, table: Table, *labels: str) -> memoryview[float]:
        key = (table.name, *labels)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._store.row(key, table.width)
        return row


def _add(row: memoryview[float], changes: Iterable[tuple[int, float]]) -> None:
    for place, more in changes:
        row[place] += more
