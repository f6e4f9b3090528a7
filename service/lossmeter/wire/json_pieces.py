"""Large arrays, read in pieces that stay in a processor's cache.

To parse the whole of a body, simdjson copies it and writes a tape of 16 bytes per number; pieces of an array,
one after the other, need neither and take half the time. So each large matrix or vector is cut out of the body
and read by itself, and the rest is read with a stand-in in its place, a string that nobody can guess.

It means the same as the whole. A cut begins and ends with brackets and holds no quotation mark, so it lies
outside strings or within a single one. Outside, each piece of it is proven to be whole rows of numbers, or
whole numbers, and rows joined by commas are rows, as numbers are numbers. Within a string, the stand-in's own
quotation marks end that string, so that the rest is no JSON, or the stand-in does not come back as a value.
Whatever cannot be proven, and whatever is wrong with a document, is left to the reader of the whole.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import simdjson

from lossmeter.errors import LossmeterError
from lossmeter.wire import json_simd
from lossmeter.wire.occurrences import occurrences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Body = bytes | bytearray

_LARGE: Final = 1 << 20
"""Bytes below which an array is read with the rest of the body."""

_PIECE: Final = 1 << 18
"""Bytes of a piece: half a megabyte with its tape and its numbers."""

# The spaces of RFC 8259, 2, which are not Python's: a form feed that is cut away with a comma would pass unseen.
_ARRAY: Final = re.compile(rb"\[[ \t\n\r]*(?:(\[)|[-0-9])")
_AFTER_ROW: Final = re.compile(rb"(?<=\])[ \t\n\r]*,")
_AFTER_NUMBER: Final = re.compile(rb",")

_SPACES: Final = 256
"""Most spaces between two closing brackets; a matrix with more there is read with the rest."""

_ENDS: Final = 16
"""How many closing brackets are looked at for the end of a matrix."""

_SATURATED: Final = (1 << 24) - 1
"""Where the lengths that simdjson tells end."""


def read(body: Body, max_depth: int) -> object:
    """The document in a body of any size; raises what ``json_simd.read`` does."""
    document = _read_in_pieces(body, max_depth) if len(body) >= _LARGE else None
    return json_simd.read(body, max_depth) if document is None else document


def _read_in_pieces(body: Body, max_depth: int) -> object:
    """The document, or None where it has no large array or where anything is in doubt."""
    rest, arrays = _cut(body)
    if not arrays:
        return None
    try:
        document = _put_back(json_simd.read(rest, max_depth), arrays, max_depth)
    except (LossmeterError, json_simd.UndecidedError):
        return None
    return None if arrays else document


def _cut(body: Body) -> tuple[bytes, dict[str, NDArray[np.float64]]]:
    """The body with stand-ins for its large arrays, and the arrays by stand-in."""
    arrays: dict[str, NDArray[np.float64]] = {}
    rest, done, secret = bytearray(), 0, secrets.token_hex(16)
    for start, end, read_array in _candidates(body):
        found = read_array(body, start, end)
        if found is not None:
            stand_in = f"{secret}-{len(arrays)}"
            rest += body[done:start] + f'"{stand_in}"'.encode()
            arrays[stand_in], done = found, end
    return (bytes(rest + body[done:]) if arrays else b""), arrays


def _candidates(
    body: Body,
) -> Iterator[tuple[int, int, Callable[[Body, int, int], NDArray[np.float64] | None]]]:
    """Where large arrays may lie, up to the next quotation mark: one of two opening brackets, or one of numbers."""
    at = 0
    while found := _ARRAY.search(body, at):
        at = body.find(b'"', found.end())
        at = len(body) if at < 0 else at
        end = _end(body, found.end(), at) if found[1] else body.find(b"]", found.end(), at) + 1
        if end - found.start() >= _LARGE:
            yield found.start(), end, _matrix if found[1] else _vector


def _end(body: Body, start: int, at: int) -> int:
    """Behind the last two closing brackets in a row: another one may close what the matrix is in."""
    end = at
    for _ in range(_ENDS):
        end = body.rfind(b"]", start, end)
        if body[max(start, end - _SPACES) : max(start, end)].rstrip(b" \t\n\r").endswith(b"]"):
            return end + 1
    return 0


def _matrix(body: Body, start: int, end: int) -> NDArray[np.float64] | None:
    """What lies there, if it is a matrix of numbers and nothing else."""
    parser, done, width = simdjson.Parser(), 0, 0
    # A number has two bytes with its comma, so this is room enough; pages that are not touched cost nothing.
    numbers = np.empty((end - start) // 2)
    with memoryview(body) as view:
        for first, last in _pieces(body, start + 1, end - 1, _AFTER_ROW):
            flat, columns = _read_rows(parser, b"".join((b"[", view[first:last], b"]")))
            if columns != (width or columns) or not columns:
                return None
            numbers[done : done + flat.size] = flat
            done, width = done + flat.size, columns
            del flat  # it belongs to the parser, which reads the next piece
    numbers.resize((done // width, width), refcheck=False)
    return numbers


def _vector(body: Body, start: int, end: int) -> NDArray[np.float64] | None:
    """What lies there, if it is a vector of numbers and nothing else."""
    parser, done = simdjson.Parser(), 0
    numbers = np.empty((end - start) // 2)
    with memoryview(body) as view:
        for first, last in _pieces(body, start + 1, end - 1, _AFTER_NUMBER):
            flat = _read_numbers(parser, b"".join((b"[", view[first:last], b"]")))
            if not flat.size:
                return None
            numbers[done : done + flat.size] = flat
            done += flat.size
            del flat  # it belongs to the parser, which reads the next piece
    numbers.resize(done, refcheck=False)
    return numbers


def _pieces(body: Body, start: int, end: int, comma: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Cuts at commas, about ``_PIECE`` bytes apart."""
    while found := comma.search(body, start + _PIECE, end):
        yield start, found.start()
        start = found.end()
    yield start, end


def _read_numbers(parser: simdjson.Parser, piece: bytes) -> NDArray[np.float64]:
    """A piece's numbers; none if there is anything else, which another bracket would be the only way to hide."""
    try:
        items = cast("simdjson.Array", parser.parse(piece))
        flat = np.frombuffer(items.as_buffer(of_type="d"))
    except (ValueError, RuntimeError, TypeError):
        return np.empty(0)
    return flat if occurrences(piece, b"[") == 1 else np.empty(0)


def _read_rows(parser: simdjson.Parser, piece: bytes) -> tuple[NDArray[np.float64], int]:
    """A piece's numbers and the length of its rows; 0 if it is not rows of one length.

    A bracket for the piece and one for each row, and no more, prove that no row has an array inside: there
    are no strings here.
    """
    try:
        rows = cast("simdjson.Array", parser.parse(piece))
        widths = set(map(len, cast("Sequence[simdjson.Array]", rows)))
        flat = np.frombuffer(rows.as_buffer(of_type="d"))
    except (ValueError, RuntimeError, TypeError):
        return np.empty(0), 0
    brackets = occurrences(piece, b"[")
    whole = len(widths) == 1 and max(widths) < _SATURATED and brackets == len(rows) + 1
    return flat, widths.pop() if whole else 0


def _put_back(value: object, arrays: dict[str, NDArray[np.float64]], levels: int) -> object:
    """The value with the arrays in their places; one that lies too deep keeps its stand-in."""
    if isinstance(value, dict):
        return {key: _put_back(member, arrays, levels - 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_put_back(item, arrays, levels - 1) for item in value]
    if isinstance(value, str) and value in arrays and levels >= arrays[value].ndim:
        return arrays.pop(value)
    return value
