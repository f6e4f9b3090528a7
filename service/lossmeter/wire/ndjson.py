"""Newline-delimited JSON: lines in, batches of arrays out; answers in, lines out.

A line is a row, ``{"logits": [2.0, 0.5], "target": 0, "sample_weight": 1.0}``, or a batch as /v1/score takes it,
``{"logits": [[2.0, 0.5]], "targets": [0]}``. Rows that lie one behind the other are read and scored together,
and answered line for line.
"""

from __future__ import annotations

from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Final

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, Problem, TooLargeError
from lossmeter.wire import json
from lossmeter.wire.parts import ROW_PARTS, flat
from lossmeter.wire.piece import Framer, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    Buffer = bytes | bytearray | memoryview

_OF_ROW: Final = {
    "logits": "logits",
    "probabilities": "probabilities",
    "log_probabilities": "log_probabilities",
    "target": "targets",
    "sample_weight": "sample_weights",
}
"""The contract's array for each member of a row."""

_OF_BATCH: Final = (*_OF_ROW.values(), "slices", "cluster")

_MEMBER: Final = {array: member for member, array in _OF_ROW.items()}


class Lines:
    """Whole lines as the bytes arrive.

    Attributes:
        held: bytes of the lines that are held.
    """

    def __init__(self) -> None:
        self.held = 0
        self._waiting = bytearray()

    def feed(self, chunk: Buffer) -> Iterator[bytes]:
        """All lines that a chunk completes, together."""
        at = bytes(chunk).rfind(b"\n") + 1
        if at:
            whole = bytes(self._waiting) + bytes(chunk[:at])
            self._waiting.clear()
            yield whole
        self._waiting += chunk[at:]
        self.held = len(self._waiting)

    def finish(self) -> Iterator[bytes]:
        """The last line, if nothing ends it."""
        if self._waiting:
            yield bytes(self._waiting)


class Source:
    """The rows and batches of a stream of lines."""

    def __init__(self, max_bytes: int, max_elements: int, max_depth: int) -> None:
        self.framer: Framer = Lines()
        self._max_bytes = max_bytes
        self._max_elements = max_elements
        self._max_depth = max_depth

    def pieces(self, unit: bytes) -> Iterator[Piece]:
        """The rows and batches in whole lines; what is read before an error is given first.

        Raises:
            MalformedBodyError: a line is not a JSON object.
            InvalidInputError: a line is neither a row nor a batch.
            TooLargeError: a line has more bytes or elements than one may have.
        """
        texts = [text for line in unit.split(b"\n") if (text := line.strip(b" \t\r"))]
        found, error = _decoded(texts, self._max_depth, self._max_bytes)
        for (members, is_batch), group in groupby(found, key=_kind):
            _check_members(members, is_batch=is_batch)
            items = list(group)
            yield from map(Piece, items) if is_batch else self._together(items)
        if error is not None:
            raise error

    def _together(self, rows: list[dict[str, Any]]) -> Iterator[Piece]:
        """Rows of the same members, as many at a time as may be scored together."""
        some: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            numbers = json.count_numbers(row)
            if some and size + numbers > self._max_elements:
                yield _piece(some)
                some, size = [], 0
            some.append(row)
            size += numbers
        yield _piece(some)

    def row_of(self, _: LossmeterError) -> int:
        """A line that cannot be read is the one behind those that could."""
        return 0


class Sink:
    """The answer as lines."""

    def write(self, document: Mapping[str, Any], piece: Piece) -> Iterable[Buffer]:
        """A line for a batch, or one for each row."""
        return _line(document) if piece.lines is None else [write_rows(document, piece.lines)]

    def end(self, name: str, record: Mapping[str, Any]) -> Iterable[Buffer]:
        """The last line."""
        return _line({name: record})


def write_rows(document: Mapping[str, Any], count: int) -> bytes:
    """A line for each row of an answer, with its share of each part; ``kl`` is an object, as in JSON.

    Whole arrays are written and then cut, for what a number looks like does not depend on its neighbours.
    """
    parts = flat(document)
    names = [name for name in ROW_PARTS if parts.get(name) is not None]
    plain = [_members(name, parts[name]) for name in names if "." not in name]
    nested = [_members(name.partition(".")[2], parts[name]) for name in names if "." in name]
    if nested:
        plain.append([b'"kl":{' + b",".join(members) + b"}" for members in zip(*nested, strict=True)])
    rows = zip(*plain, strict=True) if plain else [()] * count
    return b"".join(b"{" + b",".join(members) + b"}\n" for members in rows)


def _members(name: str, values: NDArray[Any]) -> list[bytes]:
    """The member of each row that has this name."""
    text = json.encode(values)[1:-1]
    head = json.encode(name) + b":"
    if values.ndim == 1:
        return [head + item for item in text.split(b",")]
    return [head + b"[" + row + b"]" for row in text[1:-1].split(b"],[")]


def _decoded(
    texts: list[bytes], max_depth: int, max_bytes: int
) -> tuple[list[dict[str, Any]], LossmeterError | None]:
    """The objects of the lines, and what is wrong with the one after the last of them.

    All are read at once. A line that begins and ends like an object, and is one of as many items as there are
    lines, is an item: a value that went over an end of line would be one item less, or one of a deeper level, which
    no row has.
    """
    if all(text[:1] == b"{" and text[-1:] == b"}" and len(text) <= max_bytes for text in texts):
        try:
            items = json.decode(b"[" + b",".join(texts) + b"]", max_depth=max_depth + 1)
        except LossmeterError:
            items = None
        if isinstance(items, list) and len(items) == len(texts):
            return items, None
    found: list[dict[str, Any]] = []
    for text in texts:
        try:
            found.append(_object(text, max_depth, max_bytes))
        except LossmeterError as error:
            return found, error
    return found, None


def _object(text: bytes, max_depth: int, max_bytes: int) -> dict[str, Any]:
    if len(text) > max_bytes:
        raise TooLargeError(f"A line is longer than {max_bytes} bytes.")
    item = json.decode(text, max_depth=max_depth)
    if not isinstance(item, dict):
        raise MalformedBodyError("A line is not a JSON object.")
    return item


def _kind(item: dict[str, Any]) -> tuple[frozenset[str], bool]:
    """What items must have in common to be scored together: their members, and which kind of line they are."""
    return frozenset(item), "targets" in item


def _check_members(members: frozenset[str], *, is_batch: bool) -> None:
    known: Iterable[str] = _OF_BATCH if is_batch else _OF_ROW
    for name in sorted(members):
        if name not in known:
            what = "a line with targets is a batch" if is_batch else "a line without targets is a row"
            raise InvalidInputError.at(name[:64], detail=f"unknown; {what}, of {', '.join(known)}")


def _piece(rows: list[dict[str, Any]]) -> Piece:
    arrays = {_OF_ROW[name]: [row[name] for row in rows] for name in rows[0]}
    return Piece(arrays, lines=len(rows), renamed=_of_row)


def _line(document: Mapping[str, Any]) -> Iterable[Buffer]:
    return chain(json.encode_in_parts(document), [b"\n"])


def _of_row(problem: Problem) -> Problem:
    """A problem of the arrays as one of a line: the names are in the singular, and there is no index of a row."""
    match problem.path:
        case (str(name), int(), *rest):
            return Problem((_MEMBER.get(name, name), *rest), problem.detail, problem.value)
        case (str(name), *rest):
            return Problem((_MEMBER.get(name, name), *rest), problem.detail, problem.value)
    return problem
