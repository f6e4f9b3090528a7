"""The scoring of one stream: what its batches are, how each is answered, and what they come to together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossmeter.api import query, scoring
from lossmeter.api.negotiation import ARROW, NDJSON
from lossmeter.api.schemas.score import ScoreRequest
from lossmeter.api.schemas.state import encoded
from lossmeter.engine import merge
from lossmeter.errors import InvalidInputError, LossmeterError, TooLargeError
from lossmeter.observability.record import Phase
from lossmeter.wire import ndjson
from lossmeter.wire.chunks import chunked
from lossmeter.wire.piece import Groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lossmeter.engine import State
    from lossmeter.observability.meter import Meter
    from lossmeter.settings import Settings
    from lossmeter.wire.piece import Piece, Sink, Source

    Buffer = bytes | bytearray | memoryview


class Totals:
    """What the pieces so far come to.

    Attributes:
        rows: scored and ignored ones.
        batches: those answered; a line is one.
    """

    def __init__(self) -> None:
        self.rows = self.batches = 0
        self._count = self._ignored = 0
        self._denominator = self._sum = 0.0

    def add(self, document: Mapping[str, Any], piece: Piece) -> None:
        """One more answer."""
        self._count += document["count"]
        self._ignored += document["ignored"]
        self.rows = self._count + self._ignored
        self.batches += 1 if piece.lines is None else piece.lines
        self._denominator += document["denominator"]
        self._sum += _sum(document)

    def summary(self, reduction: str, unit: str) -> dict[str, Any]:
        """The loss of the whole stream: its sum if that was wanted, else its mean."""
        mean = self._sum / self._denominator if self._denominator else 0.0
        return {
            "loss": self._sum if reduction == "sum" else mean,
            "reduction": "sum" if reduction == "sum" else "mean",
            "unit": unit,
            "denominator": self._denominator,
            "count": self._count,
            "ignored": self._ignored,
            "batches": self.batches,
        }


class Session:
    """One stream, synchronous and without I/O: units in, parts of the answer out.

    Every batch has a ``reduction`` of its own, as if it were sent alone. A row that is a line has none: no caller
    knows which rows arrive together, so its loss and gradient are those of reduction ``none``.

    Attributes:
        framer: what makes units of the bytes.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        settings: Settings,
        content: str,
        answer: str,
        meter: Meter | None = None,
    ) -> None:
        if isinstance(options.get("class_weights"), (str, dict)):
            detail = "a stream cannot be balanced, for its counts are known at its end; expected numbers"
            raise InvalidInputError.at("class_weights", detail=detail, value=options["class_weights"])
        self._options = dict(options)
        groups = query.groups(self._options) if content == ARROW else Groups()
        for name in query.ROWS:
            if name in self._options:
                detail = "the rows of a stream are in its body, not in the query"
                raise InvalidInputError.at(name, detail=detail)
        self._settings = settings
        self._meter = meter
        self._source = _SOURCES[content](settings, groups)
        self._sink = _SINKS[answer]()
        self._totals = Totals()
        self._state: State | None = None
        self._row: int | None = None
        self.framer = self._source.framer

    def answers(self, unit: Any) -> Iterator[Buffer]:  # noqa: ANN401 - the framer's own
        """The answers to a unit, as far as it can be scored.

        Raises:
            LossmeterError: the rest cannot.
        """
        pieces = self._source.pieces(unit)
        while True:
            try:
                with Phase("parse"):
                    piece = next(pieces, None)
            except LossmeterError as error:
                self._blame(self._source.row_of(error))
                raise
            if piece is None:
                return
            yield from self._answers(piece)

    def end(self) -> bytes:
        """The last record when all went well; a state that is included is that of the whole stream."""
        reduction, unit = self._options.get("reduction", "mean"), self._options.get("unit", "nats")
        summary = self._totals.summary(str(reduction), str(unit))
        if self._state is not None:
            summary["state"] = encoded(self._state, self._options.get("state_encoding", "json"))
        return b"".join(self._sink.end("summary", summary))

    def fail(self, problem: Mapping[str, Any]) -> bytes:
        """The last record when something went wrong: the problem, and the batch and row that it is about."""
        place = {"batch": self._totals.batches} | ({} if self._row is None else {"row": self._row})
        return b"".join(self._sink.end("problem", {**problem, **place}))

    def _answers(self, piece: Piece) -> Iterator[Buffer]:
        """The answer to a piece; of lines, to those before the first that is wrong."""
        try:
            document = self._scored(piece)
        except InvalidInputError as error:
            row = self._row_of(error, piece)
            if row and piece.lines is not None:
                yield from self._answers(piece.first(row))
                row = 0
            self._blame(row)
            raise piece.blame(error) from None
        except TooLargeError:
            self._blame(None if piece.lines is None else 0)
            raise
        if document is not None:
            with Phase("encode"):
                written = self._sink.write(document, piece)
            yield from chunked(written)

    def _scored(self, piece: Piece) -> dict[str, Any] | None:
        """The scores of a piece, counted; None if it has no rows."""
        if not len(next(iter(piece.arrays.values()), ())):
            self._totals.batches += 1
            return None
        options = dict(self._options)
        if piece.lines is not None:
            options["reduction"] = "none"
        hidden = options.get("reduction") == "none" and "losses" not in options.get("include", ("losses",))
        if hidden:
            options["include"] = [*options["include"], "losses"]
        request = scoring.read(ScoreRequest, piece.arrays | options, self._settings)
        with Phase("compute"):
            scores = scoring.scored(request, self._settings, self._meter)
        document = scoring.told(scores, request)
        self._totals.add(document, piece)
        if scores.state is not None:
            self._state = scores.state if self._state is None else merge([self._state, scores.state])
        if hidden:
            del document["losses"]
        return document

    def _row_of(self, error: InvalidInputError, piece: Piece) -> int | None:
        """The row of a piece that an error is about; lines that differ in their members are in different pieces."""
        row = piece.row_of(error)
        path = error.problems[0].path
        is_of_line = row is None and piece.lines is not None and path and path[0] not in self._options
        return 0 if is_of_line else row

    def _blame(self, row: int | None) -> None:
        self._row = None if row is None else self._totals.rows + row


def _sum(document: Mapping[str, Any]) -> float:
    """The sum of the losses of a batch, whatever its loss is."""
    if document["reduction"] == "none":
        return float(np.add.reduce(document["losses"], dtype=np.float64))
    return float(document["loss"] * (document["denominator"] if document["reduction"] == "mean" else 1))


def _ndjson(settings: Settings, _: Groups) -> Source:
    return ndjson.Source(settings.max_body_bytes, settings.max_elements, settings.max_depth)


def _arrow(settings: Settings, groups: Groups) -> Source:
    from lossmeter.wire import arrow  # noqa: PLC0415 - half a second and 50 MB, for those who need it

    return arrow.Source(settings.max_body_bytes, groups)


def _arrow_sink() -> Sink:
    from lossmeter.wire import arrow_answers  # noqa: PLC0415 - as above

    return arrow_answers.Sink()


_SOURCES: Final[Mapping[str, Callable[[Settings, Groups], Source]]] = {NDJSON: _ndjson, ARROW: _arrow}
_SINKS: Final[Mapping[str, Callable[[], Sink]]] = {NDJSON: ndjson.Sink, ARROW: _arrow_sink}
