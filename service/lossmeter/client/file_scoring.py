"""A file of any size, scored batch by batch, in memory that does not grow with it.

The columns are those that the server knows: ``logits`` (or ``probabilities``, ``log_probabilities``) as lists or as a
column per class (``logits_0``, ``logits_1`` …), ``target``, and perhaps ``sample_weight``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from lossmeter import errors
from lossmeter.client import scoring
from lossmeter.client.batch import Batch
from lossmeter.client.errors import InvalidInputError, refused_here
from lossmeter.client.parts import Tally
from lossmeter.client.progress import bar
from lossmeter.client.results import FileBatch, FileScores
from lossmeter.client.steps import work

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from lossmeter.client.results import Scores
    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps

BATCH_BYTES: Final = 16 << 20
"""Of a batch, if its rows are not said: so much that a request is about its numbers, and little to hold."""

_STATES: Final = 16
"""Of batches, before they are added up: few to hold, and few requests."""


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and what to do with it.

    Attributes:
        path: where it is.
        options: the fields of a scoring but for those of the rows; None for those not given.
        slices: columns to slice by.
        rows: of a batch; None: as many as make ``BATCH_BYTES``.
        each: called with every batch when it is scored.
        progress: whether to draw a bar; None: on a terminal.
    """

    path: str | PathLike[str]
    options: Mapping[str, Any]
    slices: Sequence[str]
    rows: int | None
    each: Callable[[FileBatch], object] | None
    progress: bool | None


def score(session: Session, job: Job) -> Steps[FileScores]:
    """The scores of all rows together."""
    source = yield from work(lambda: Source(job))
    options = yield from work(lambda: source.resolved(Batch.of(job.options)))
    summary = _Summary(options)
    batches = source.batches()
    with bar(source.count, job.progress) as advance:
        while (found := (yield from work(lambda: next(batches, None)))) is not None:
            start, rows, arrays = found
            try:
                asked = Batch.of({**options.options, **arrays, "reduction": summary.asked})
                scores = yield from scoring.score(session, asked, session.policy.begin())
            except InvalidInputError as error:
                raise error.at_row(start) from None
            summary.add(scores)
            yield from summary.merge(session, _STATES)
            if job.each is not None:
                job.each(FileBatch(start, rows, scores))
            advance(rows.num_rows)
    yield from summary.merge(session, 1)
    return summary.scores()


class Source:
    """The batches of a file.

    Attributes:
        count: rows in all, if the file tells.
    """

    def __init__(self, job: Job) -> None:
        try:
            # pyarrow takes half a second and 50 MB, which only those pay who have files.
            from lossmeter.client import files  # noqa: PLC0415
            from lossmeter.wire.columns import Layout  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("files need pyarrow: pip install 'lossmeter[arrow]'") from error
        self._file = files.opened(job.path)
        self.count = self._file.rows
        self._rows = job.rows or max(1, BATCH_BYTES // max(1, self._file.row_bytes))
        try:
            self._layout = Layout(self._file.schema)
        except errors.InvalidInputError as error:
            raise refused_here(error) from None
        self._slices = job.slices
        # What nobody looks at need not be read.
        self._columns = None if job.each is not None else [*self._layout.used, *job.slices]

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch, dict[str, Any]]]:
        """The first row's place, the columns, and the contract's arrays in them, of at most so many rows each."""
        start = 0
        for batch in self._file.read(self._rows, self._columns):
            for at in range(0, batch.num_rows, self._rows):
                part = batch.slice(at, self._rows)
                try:
                    yield start, part, self._layout.arrays(part) | self._sliced(part)
                except errors.InvalidInputError as error:
                    raise refused_here(error).at_row(start) from None
                start += part.num_rows

    def _sliced(self, part: pa.RecordBatch) -> dict[str, Any]:
        """The columns to slice by, as texts."""
        columns = {name: part.column(name).cast("string").to_pylist() for name in self._slices}
        return {"slices": columns} if columns else {}

    def resolved(self, options: Batch) -> Batch:
        """The options with class weights as numbers: a scheme needs the truth of all rows, so these are read twice."""
        if not options.has_scheme:
            return options
        counts: NDArray[np.float64] | None = None
        for _, _, arrays in self.batches():
            part = Batch.of({**options.options, **arrays})
            counts = part.counts() if counts is None else counts + part.counts()
        return options if counts is None else options.with_weights(counts)


class _Summary:
    """What is left of the batches."""

    def __init__(self, options: Batch) -> None:
        self._reduction = options.options.get("reduction", "mean")
        self._tally = Tally(options.options.get("normalization", "weight"))
        self._unit = options.options.get("unit", "nats")
        self._class_weights: NDArray[Any] | None = None
        self._states: list[str] = []

    @property
    def asked(self) -> str:
        """The reduction of the batches: their means could not be added up."""
        return "none" if self._reduction == "none" else "sum"

    def add(self, scores: Scores) -> None:
        """One more batch."""
        self._tally.add(scores)
        self._class_weights = scores.class_weights
        self._states += [scores.state] if scores.state is not None else []

    def merge(self, session: Session, most: int) -> Steps[None]:
        """Add up the states if there are more of them than this."""
        if len(self._states) > most:
            self._states = [(yield from scoring.merge(session, self._states))]

    def scores(self) -> FileScores:
        """What they come to."""
        return FileScores(
            loss=self._tally.loss(self._reduction),
            reduction=self._reduction,
            unit=self._unit,
            denominator=self._tally.denominator,
            count=self._tally.count,
            ignored=self._tally.ignored,
            class_weights=self._class_weights,
            kl_by_class=self._tally.by_class(),
            state=self._states[0] if self._states else None,
        )
