"""The use case: halves of exchanges come in, in any order and any number of times; each pair is scored once.

What is told here is on the disk. A pair is scored in the transaction that stores its second half, so there is never one
that waits for nothing; it is counted in the metrics when that transaction has ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from lossmeter import engine
from lossmeter.engine import Scores
from lossmeter.errors import InvalidInputError
from lossmeter.events import sql
from lossmeter.events.exchange import Asked, Found, Prediction, Truth
from lossmeter.events.store import Half, Store, series_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG: Final = logging.getLogger(__name__)

Name: TypeAlias = Literal["waiting", "scored", "duplicate"]
Count: TypeAlias = Callable[[Mapping[str, Any], Scores, Mapping[str, str], float], None]
"""Takes what the engine was told, what it answered, the labels of the series, and the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one half.

    Attributes:
        name: it is kept until the other half comes; it made a pair; it had come before.
        rows: that were scored.
    """

    name: Name
    rows: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A pair: what the engine was told, what it answered, the labels of the series, and the seconds that it took."""

    arguments: Mapping[str, Any]
    scores: Scores
    labels: Mapping[str, str]
    seconds: float


class Intake:
    """Takes what events tell.

    Args:
        store: where halves wait.
        tolerance: how far the sum of a row of probabilities may be from 1.
        count: who counts what is scored.
        threads: how many may score; None for one per core.
    """

    def __init__(self, store: Store, tolerance: float, count: Count, threads: int | None = None) -> None:
        self._store = store
        self._tolerance = tolerance
        self._count = count
        self._threads = threads

    def take(self, found: Sequence[Found]) -> list[Outcome | InvalidInputError]:
        """What became of each, all of it on the disk; an error where nothing did.

        Raises:
            StoreFullError: nothing was taken.
            StoreUnavailableError: nothing was taken.
        """
        refused = {place: error for place, each in enumerate(found) if (error := self._wrong(each))}
        scored: list[Scored] = []
        outcomes: list[Outcome | InvalidInputError] = []
        with self._store.transaction(each.id for each in found):
            for place, each in enumerate(found):
                try:
                    outcomes.append(refused.get(place) or self._take(each, scored))
                except InvalidInputError as error:
                    outcomes.append(error)
        for pair in scored:
            self._count(pair.arguments, pair.scores, pair.labels, pair.seconds)
        return outcomes

    def _wrong(self, found: Found) -> InvalidInputError | None:
        """What is wrong with one half, whatever the other will be: said at once, and not in a week."""
        match found:
            case Prediction():
                half = Half("{}", found.input, found.values)
                truth = Truth("", np.zeros(len(found.values), np.intp))
            case Truth() if found.targets.ndim == 2:  # noqa: PLR2004 - distributions
                half, truth = Half("{}", "logits", np.zeros(found.targets.shape)), found
            case _:
                return None
        try:
            self._score(half, truth)
        except InvalidInputError as error:
            return error
        return None

    def _take(self, found: Found, scored: list[Scored]) -> Outcome:
        if isinstance(found, Truth):
            return self._told(found, scored)
        stage = self._store.stage(found.id, series_name(found.labels))
        if isinstance(found, Asked):
            if stage is None:
                self._store.ask(found)
            if found.truth is not None:
                return self._told(found.truth, scored)
            return Outcome("waiting" if stage is None else "duplicate")
        return self._predicted(found, scored) if stage in (None, sql.ASKED) else Outcome("duplicate")

    def _predicted(self, prediction: Prediction, scored: list[Scored]) -> Outcome:
        store = self._store
        store.predict(prediction)
        known = store.truth(prediction.id)
        if known is None:
            return Outcome("waiting")
        truth, used = known
        half = Half(series_name(prediction.labels), prediction.input, prediction.values)
        try:
            pair = self._score(half, truth)
        except InvalidInputError:
            # The model cannot be wrong about its own answer. Who told the truth may tell another one.
            LOG.warning("the truth of %r does not fit what %s predicted", truth.id, half.series)
            if not used:
                store.forget(truth.id)
            return Outcome("waiting")
        store.use(truth.id)
        return self._settle([(half, pair)], truth, scored)

    def _told(self, truth: Truth, scored: list[Scored]) -> Outcome:
        store = self._store
        known = store.truth(truth.id)
        if known is not None:
            before, used = known
            if _same(before, truth):
                return Outcome("duplicate")
            if used:
                detail = "another truth was told of this id and has been scored; the first one holds"
                raise InvalidInputError.at("targets", detail=detail)
            store.forget(truth.id)
        pairs, errors = [], []
        for half in store.waiting(truth.id):
            try:
                pairs.append((half, self._score(half, truth)))
            except InvalidInputError as error:
                errors.append(error)
        if errors and not pairs:
            raise errors[0]
        store.tell(truth, used=bool(pairs))
        return self._settle(pairs, truth, scored) if pairs else Outcome("waiting")

    def _settle(self, pairs: Iterable[tuple[Half, Scored]], truth: Truth, scored: list[Scored]) -> Outcome:
        rows = 0
        for half, pair in pairs:
            self._store.score(truth.id, half.series, truth.targets, pair.labels)
            scored.append(pair)
            rows += len(half.values)
        return Outcome("scored", rows)

    def _score(self, half: Half, truth: Truth) -> Scored:
        arguments = told(half.input, half.values, truth.targets, self._tolerance)
        begun = perf_counter()
        scores = engine.score(**arguments, include=("losses", "kl"), threads=self._threads)
        labels = {**json.loads(half.series), **truth.labels}
        return Scored(arguments, scores, labels, perf_counter() - begun)


def told(input_: str, values: NDArray[Any], targets: NDArray[Any], tolerance: float) -> dict[str, Any]:
    """What the engine is told of a prediction and its truth."""
    loss = "binary_cross_entropy" if values.ndim == 1 else "cross_entropy"
    return {input_: values, "targets": targets, "loss": loss, "tolerance": tolerance}


def _same(one: Truth, other: Truth) -> bool:
    return np.array_equal(one.targets, other.targets) and dict(one.labels) == dict(other.labels)
