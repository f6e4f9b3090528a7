"""What waits for its other half, what was scored, and what it came to: in a database, bounded in every way."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from lossmeter.engine import State
from lossmeter.events import sql
from lossmeter.events.database import StoreUnavailableError
from lossmeter.events.exchange import Truth
from lossmeter.wire import npy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lossmeter.events.database import Database
    from lossmeter.events.exchange import Asked, Prediction

_SPARE: Final = 0.9
"""Room is made down to this share of a cap, so that it need not be made for every event."""

_STEP: Final = 100
"""A process counts what there is again when it has added a hundredth of a cap."""


class StoreFullError(Exception):
    """As much waits as may; nothing was written."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is held, and how long.

    Attributes:
        seconds: that halves wait for each other, and that an event is known again.
        rows: of exchanges and truths.
        bytes: of their arrays.
        days: that states are held.
        series: that states are held of; later ones are held together, under ``other``.
    """

    seconds: float
    rows: int
    bytes: int
    days: int
    series: int


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """A prediction that waits: its series, what its values are, and the values."""

    series: str
    input: str
    values: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A prediction that has been scored against its truth."""

    id: str
    series: str
    input: str
    values: NDArray[Any]
    targets: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What there is.

    Attributes:
        rows: of exchanges and truths.
        bytes: of their arrays.
        asked: requests without an answer.
        predictions: that wait for their truth.
        truths: that no prediction had.
    """

    rows: int
    bytes: int
    asked: int
    predictions: int
    truths: int


class Store:
    """The tables, in the terms of those who use them. All but ``transaction`` wants to be in one."""

    def __init__(self, database: Database, caps: Caps) -> None:
        """Makes the tables where they are not there.

        Raises:
            StoreUnavailableError: the database cannot be used, or holds tables of another version.
        """
        self.caps = caps
        self._database = database
        self._run = database.run
        self._left_rows = self._left_bytes = 0
        with database.transaction(["schema"]):
            for statement in sql.SCHEMA:
                self._run(statement)
            versions = [version for (version,) in self._run(sql.READ_VERSION)]
            if not versions:
                self._run(sql.WRITE_VERSION, (sql.VERSION,))
        if versions not in ([], [sql.VERSION]):
            raise StoreUnavailableError(f"its tables are of version {versions}; {sql.VERSION} is wanted")

    @contextmanager
    def transaction(self, names: Iterable[str]) -> Iterator[None]:
        """What is done in this block is done wholly or not at all; ids and series that it is about are its own."""
        with self._database.transaction(names):
            yield

    def close(self) -> None:
        """Lets go of the database."""
        self._database.close()

    def stage(self, id_: str, series: str) -> int | None:
        """How far an exchange has come."""
        found = self._run(sql.STAGE, (id_, series))
        return found[0][0] if found else None

    def ask(self, asked: Asked) -> None:
        """A request."""
        self._reserve(1, 0)
        self._run(sql.ASK, (asked.id, series_name(asked.labels), time.time()))

    def predict(self, prediction: Prediction) -> None:
        """A prediction that waits."""
        packed = _packed(prediction.values)
        self._reserve(1, len(packed))
        series = series_name(prediction.labels)
        self._run(sql.PREDICT, (prediction.id, series, time.time(), prediction.input, packed, len(packed)))

    def waiting(self, id_: str) -> list[Half]:
        """The predictions of an id that wait."""
        rows = self._run(sql.WAITING_FOR, (id_,))
        return [Half(series, input_, npy.read(bytes(values))) for series, input_, values in rows]

    def score(self, id_: str, series: str, targets: NDArray[Any], scored_as: Mapping[str, str]) -> None:
        """A prediction has met its truth, and belongs to this series of states."""
        packed = _packed(targets)
        self._run(sql.SCORE, (packed, series_name(scored_as), today(), len(packed), id_, series))

    def truth(self, id_: str) -> tuple[Truth, bool] | None:
        """What is known of an id, and whether a prediction has had it."""
        found = self._run(sql.TRUTH, (id_,))
        if not found:
            return None
        targets, labels, used = found[0]
        return Truth(id_, npy.read(bytes(targets)), json.loads(labels)), bool(used)

    def tell(self, truth: Truth, *, used: bool) -> None:
        """What is true. That which predictions wait for always has room, for it makes some."""
        packed = _packed(truth.targets)
        if used:
            self._left_rows -= 1
        else:
            self._reserve(1, len(packed))
        labels = series_name(truth.labels)
        self._run(sql.TELL, (truth.id, time.time(), packed, labels, int(used), len(packed)))

    def use(self, id_: str) -> None:
        """A prediction has had it."""
        self._run(sql.USE, (id_,))

    def forget(self, id_: str) -> None:
        """A truth turned out to fit nothing."""
        self._run(sql.FORGET, (id_,))

    def scored_series(self) -> list[tuple[str, str]]:
        """Series and days of which something is scored, and in no state."""
        return [(series, day) for series, day in self._run(sql.SCORED_SERIES)]

    def scored(self, series: str, day: str, most: int, most_bytes: int) -> list[Pair]:
        """Some of it: at least one, if there is any."""
        pairs: list[Pair] = []
        for id_, own, size in self._run(sql.SCORED_OF, (series, day, most)):
            most_bytes -= size
            if pairs and most_bytes < 0:
                break
            input_, values, targets = self._run(sql.SCORED_PAIR, (id_, own))[0]
            pairs.append(Pair(id_, own, input_, npy.read(bytes(values)), npy.read(bytes(targets))))
        return pairs

    def keep(self, pair: Pair) -> None:
        """It is in a state now."""
        self._run(sql.KEEP, (pair.id, pair.series))

    def state(self, series: str, day: str, fingerprint: str) -> State | None:
        """What a series has come to on a day."""
        found = self._run(sql.STATE, (series, day, fingerprint))
        return State.unpack(bytes(found[0][0])) if found else None

    def write_state(self, series: str, day: str, state: State) -> None:
        """The same, renewed."""
        self._run(sql.WRITE_STATE, (series, day, state.fingerprint, state.pack()))

    def states(self, since: str, until: str) -> list[tuple[str, str, str, bytes]]:
        """Series, fingerprint, day and packed state of all days from the one to the other."""
        return [
            (series, fingerprint, day, bytes(state))
            for series, fingerprint, day, state in self._run(sql.STATES, (since, until))
        ]

    def has_room_for_series(self, series: str) -> bool:
        """Whether states of this series are held, or may be."""
        known = {name for (name,) in self._run(sql.ALL_SERIES)}
        return series in known or len(known) < self.caps.series

    def usage(self) -> Usage:
        """What there is."""
        stages = {stage: (count, int(size)) for stage, count, size in self._run(sql.STAGES)}
        truths = {used: (count, int(size)) for used, count, size in self._run(sql.TRUTHS)}
        every = [*stages.values(), *truths.values()]
        return Usage(
            rows=sum(count for count, _ in every),
            bytes=sum(size for _, size in every),
            asked=stages.get(sql.ASKED, (0, 0))[0],
            predictions=stages.get(sql.WAITING, (0, 0))[0],
            truths=truths.get(0, (0, 0))[0],
        )

    def sweep(self) -> None:
        """What is too old goes."""
        for statement in sql.EXPIRED:
            self._run(statement, (time.time() - self.caps.seconds,))
        self._run(sql.OLD_STATES, (today(-self.caps.days),))

    def _reserve(self, rows: int, size: int) -> None:
        """Room for something new."""
        if rows > self._left_rows or size > self._left_bytes:
            self._measure(rows, size)
        self._left_rows -= rows
        self._left_bytes -= size

    def _measure(self, rows: int, size: int) -> None:
        """Counts what there is, and what may come until it is counted again."""
        usage = self.usage()
        if usage.rows + rows > self.caps.rows:
            most = usage.rows - int(self.caps.rows * _SPARE) + rows
            for statement in sql.OLDEST:
                self._run(statement, (most,))
            usage = self.usage()
        free_rows, free_bytes = self.caps.rows - usage.rows, self.caps.bytes - usage.bytes
        if rows > free_rows or size > free_bytes:
            raise StoreFullError
        self._left_rows = min(free_rows, max(rows, self.caps.rows // _STEP))
        self._left_bytes = min(free_bytes, max(size, self.caps.bytes // _STEP))


def series_name(labels: Mapping[str, str]) -> str:
    """Labels as one text, alike for equal ones."""
    return json.dumps(dict(sorted(labels.items())), separators=(",", ":"))


def today(days: int = 0) -> str:
    """The date in UTC, so many days on."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def _packed(values: NDArray[Any]) -> bytes:
    return b"".join(npy.write(values))
