"""What was scored becomes states, a batch of exchanges at a time; states of days become those of a period."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter import engine
from lossmeter.engine import State
from lossmeter.errors import InvalidInputError
from lossmeter.events.pairing import told
from lossmeter.events.store import series_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lossmeter.events.store import Pair, Store

LOG: Final = logging.getLogger(__name__)

OTHER: Final = "other"
"""The value of every label of series beyond the cap."""

MOST_PAIRS: Final = 256
MOST_BYTES: Final = 16 * 2**20
"""What is read at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What a series came to.

    Attributes:
        labels: its own.
        since: the first day of the period that it has rows of.
        until: the last one.
        state: of these rows.
    """

    labels: Mapping[str, str]
    since: str
    until: str
    state: State


def keep(store: Store, tolerance: float, threads: int | None = None) -> None:
    """Adds what was scored to the states of its series and days.

    The state of a batch is that of its rows, wherever it is cut: so nothing depends on when this is done.
    """
    with store.transaction(()):
        waiting = store.scored_series()
    for series, day in waiting:
        more = True
        while more:
            with store.transaction([f"states of {series}"]):
                pairs = store.scored(series, day, MOST_PAIRS, MOST_BYTES)
                held_as = series if store.has_room_for_series(series) else _other(series)
                for batch in _batches(pairs):
                    state = _state(batch, tolerance, threads)
                    if state is not None:
                        before = store.state(held_as, day, state.fingerprint)
                        both = [state] if before is None else [before, state]
                        store.write_state(held_as, day, engine.merge(both))
                for pair in pairs:
                    store.keep(pair)
            more = bool(pairs)


def merged(states: Iterable[tuple[str, str, str, bytes]], wanted: Mapping[str, str]) -> Iterator[Series]:
    """What series with these labels came to, of the rows of ``Store.states``."""
    for (series, _), rows in itertools.groupby(states, key=lambda row: row[:2]):
        labels = json.loads(series)
        if wanted.items() <= labels.items():
            days = [(day, State.unpack(state)) for _, _, day, state in rows]
            yield Series(labels, days[0][0], days[-1][0], engine.merge([state for _, state in days]))


def _state(pairs: Sequence[Pair], tolerance: float, threads: int | None) -> State | None:
    """The state of their rows; None for what has too many classes for one."""
    values = np.concatenate([pair.values for pair in pairs])
    targets = np.concatenate([pair.targets for pair in pairs])
    arguments = told(pairs[0].input, values, targets, tolerance)
    try:
        return engine.score(**arguments, include=["state"], threads=threads).state
    except InvalidInputError as error:
        LOG.warning("what was scored has no state: %s", error)
        return None


def _batches(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Those that can be scored together."""
    batches: dict[Any, list[Pair]] = {}
    for pair in pairs:
        kind = (pair.input, pair.values.dtype.str, pair.values.shape[1:], pair.targets.ndim)
        batches.setdefault(kind, []).append(pair)
    return list(batches.values())


def _other(series: str) -> str:
    return series_name(dict.fromkeys(json.loads(series), OTHER))
