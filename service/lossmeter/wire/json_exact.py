"""The exact reader: RFC 8259 in regular expressions, for what simdjson will not judge or is not there for.

It takes the same documents to the same results, in about four times the time. Pieces of arrays, 64 KiB at a
time, are cut out and read by orjson, so that millions of numbers are never Python floats at once; what orjson
will not read in a piece is read item by item: numbers by ``float``, which rounds correctly at any length and
in linear time (``int`` takes the square of it), strings by the standard library. It works on the bytes, so
that one emoji does not quadruple a body, and its only recursion is one call per level under the depth cap.
The quantifiers of the grammar never give back what they took (``*+``): no document makes the matching slow.
"""

from __future__ import annotations

import json
import re
from array import array
from itertools import accumulate, chain, islice, pairwise
from typing import Final, cast

import numpy as np
import orjson

from lossmeter.errors import MalformedBodyError
from lossmeter.wire.ledger import LARGE_NUMBER, LIST, MATRIX, ROW, VALUE, Ledger, shorten
from lossmeter.wire.numbers import LONGEST_LITERAL, TooLargeNumber, float64_of, gather

_SPACE: Final = rb"[ \t\n\r]*+"
_DIGITS: Final = rb"[0-9]++"
_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\." + _DIGITS + rb")?+(?:[eE][+-]?" + _DIGITS + rb")?+"
_RUN: Final = re.compile(rb'[-+0-9.eE, \t\n\r"INafinty]{1,65536}+')
_ROWS: Final = re.compile(rb'[-+0-9.eE,\[\] \t\n\r"INafinty]{1,65536}+')
_LAST_ROW: Final = re.compile(rb"\](?=[ \t\n\r]*+\])")
_SCALARS: Final = re.compile(
    rb'(?:(?:[-+0-9.eEtrufalsn]++|"[^"\\\x00-\x1f]*+")' + _SPACE + rb"," + _SPACE + rb"){1,4096}+"
)
_SPACES: Final = re.compile(_SPACE)
_SCALAR: Final = re.compile(_NUMBER + rb"|true|false|null")
_STRING: Final = re.compile(rb'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"')
_WORDS: Final = {b"true": True, b"false": False, b"null": None}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_INFINITY: Final = float("inf")
_LONGEST_INTEGER: Final = 20


def read(body: bytes | bytearray, max_depth: int) -> object:
    """The document in the body, or what is wrong with it."""
    reader = _Reader(body, max_depth)
    document = reader.document()
    reader.ledger.settle()
    return document


class _Reader:
    """One pass over a body; ``_at`` is the position of the next byte to read."""

    def __init__(self, body: bytes | bytearray, max_depth: int) -> None:
        self.ledger = Ledger(max_depth)
        self._body = body
        self._at = 0

    def document(self) -> object:
        """The one value of the body. RFC 8259, 8.1: parsers "MAY ignore" a byte order mark."""
        if self._body.startswith(_BYTE_ORDER_MARK):
            self._at = len(_BYTE_ORDER_MARK)
        value = self._value()
        if self._next() != b"":
            raise self._malformed("expected the end of the body")
        return value

    def _value(self) -> object:
        match self._next():
            case b"{":
                return self._object()
            case b"[":
                return self._array()
            case b'"':
                return self._string()
            case _:
                return self._scalar()

    def _object(self) -> dict[str, object]:
        self.ledger.open()
        members: dict[str, object] = {}
        self._at += 1
        seen = 0
        while not self._closes(b"}", first=seen == 0):
            if self._next() != b'"':
                raise self._malformed("expected a key in double quotes")
            key = self._string()
            self._take(b":")
            wanted = self.ledger.admit(members, key, seen)
            self.ledger.spend(1)
            self.ledger.path.append(shorten(key))
            value = self._value()
            self.ledger.path.pop()
            if wanted:
                members[key] = value
            seen += 1
        return members

    def _array(self) -> object:
        self.ledger.open()
        start = self._at
        flat = array("d")
        if self._numbers(flat):
            return np.frombuffer(flat, np.float64)
        self._at = start + 1
        if self._next() == b"[":
            found = self._rows()
            if found is not None:
                return found
        self._at = start + 1
        return self._list()

    def _rows(self) -> object:
        """A matrix, or its rows if they are ragged; None where anything but rows of numbers is inside."""
        self.ledger.check_depth(1)
        self.ledger.spend(MATRIX)
        flat = array("d")
        ends = [0]
        while not self._closes(b"]", first=len(ends) == 1):
            start, known = self._at, len(ends)
            if not self._many_rows(flat, ends):
                self._at = start
                if self._next() != b"[" or not self._numbers(flat):
                    return None
                ends.append(len(flat))
            self.ledger.spend(ROW * (len(ends) - known))
        numbers = np.frombuffer(flat, np.float64)
        lengths = np.diff(ends)
        if (lengths == lengths[0]).all():
            return numbers.reshape(lengths.size, int(lengths[0]))
        return [numbers[start:end] for start, end in pairwise(ends)]

    def _many_rows(self, flat: array[float], ends: list[int]) -> bool:
        """Append the rows that a piece of the body holds whole; False if it holds none, or anything else."""
        piece = _ROWS.match(self._body, self._at)
        if piece is None:
            return False
        last = _LAST_ROW.search(self._body, self._at, piece.end())
        end = last.end() if last else self._body.rfind(b"]", self._at, piece.end()) + 1
        found = _items(self._body[self._at : end]) if end > self._at else None
        if not found or set(map(type, found)) != {list}:
            return False
        rows = cast("list[list[object]]", found)
        numbers = float64_of(chain.from_iterable(rows))
        if numbers is None:
            return False
        ends.extend(islice(accumulate(map(len, rows), initial=len(flat)), 1, None))
        flat.frombytes(numbers.tobytes())
        self._at = end
        return True

    def _numbers(self, flat: array[float]) -> bool:
        """Append the numbers of the array that opens here, and pass it; False at anything else in it."""
        self._at += 1
        if self._next() == b"]":
            self._at += 1
            return True
        while piece := _RUN.match(self._body, self._at):
            ends = self._body[piece.end() : piece.end() + 1] == b"]"
            end = piece.end() if ends else self._body.rfind(b",", self._at, piece.end())
            items = _items(self._body[self._at : end]) if end > self._at else None
            numbers = float64_of(items) if items else None
            if numbers is None:
                return False
            flat.frombytes(numbers.tobytes())
            self._at = end + 1
            if ends:
                return True
        return False

    def _list(self) -> object:
        """What is no array of numbers at first sight, item by item."""
        self.ledger.spend(LIST)
        items: list[object] = []
        singly = 0  # up to where pieces need not be tried, because one failed
        while not self._closes(b"]", first=not items):
            self._next()
            piece = _SCALARS.match(self._body, self._at) if self._at >= singly else None
            found = self._scalars(self._body[self._at : piece.end()].rstrip(b", \t\n\r")) if piece else None
            if piece and found:
                items += found
                self._at = self._body.rfind(b",", self._at, piece.end())
                continue
            singly = piece.end() if piece else singly
            self.ledger.path.append(len(items))
            items.append(self._value())
            self.ledger.path.pop()
            self.ledger.spend(VALUE)
        return gather(items)  # at second sight: a number may be spelled with escapes

    def _scalars(self, piece: bytes | bytearray) -> list[object] | None:
        """The values of a piece of ``_SCALARS``, whose numbers may be too large; one by one they take longer."""
        found, cost = _items(piece), 1
        if found is None:
            found, cost = _loose_items(piece), LARGE_NUMBER
        self.ledger.spend(cost * len(found or ()))
        return found

    def _string(self) -> str:
        found = _STRING.match(self._body, self._at)
        if found is None:
            raise self._malformed("expected a string, closed and without control characters")
        try:
            value: str = json.loads(found[0].decode())
            if b"\\u" in found[0]:
                value.encode()  # refuses a surrogate without its other half, which no UTF-8 can carry
        except ValueError as error:  # the decoders' errors are ValueErrors
            raise self._malformed("expected a string of Unicode characters") from error
        self._at = found.end()
        return value

    def _scalar(self) -> object:
        found = _SCALAR.match(self._body, self._at)
        if found is None:
            raise self._malformed("expected a value")
        self._at = found.end()
        literal = bytes(found[0])
        return _WORDS[literal] if literal in _WORDS else _number(literal)

    def _closes(self, bracket: bytes, *, first: bool = False) -> bool:
        """Whether the container ends here, and pass its end, or the comma that an item but the first has."""
        if self._next() == bracket:
            self._at += 1
            return True
        if not first:
            self._take(b",")
        return False

    def _take(self, mark: bytes) -> None:
        if self._next() != mark:
            raise self._malformed(f"expected '{mark.decode()}'")
        self._at += 1

    def _next(self) -> bytes:
        """The next byte that is no space, not passed yet; empty at the end."""
        spaces = _SPACES.match(self._body, self._at)
        self._at = self._at if spaces is None else spaces.end()
        return bytes(self._body[self._at : self._at + 1])

    def _malformed(self, expectation: str) -> MalformedBodyError:
        line = self._body.count(b"\n", 0, self._at) + 1
        column = self._at - self._body.rfind(b"\n", 0, self._at)
        return MalformedBodyError(
            f"The body is not JSON in UTF-8: {expectation} at line {line}, column {column} (in bytes)."
        )


def _items(piece: bytes | bytearray) -> list[object] | None:
    """The values of a piece of an array, without brackets; None if there is something wrong, whatever it is."""
    try:
        items: list[object] = orjson.loads(b"[%b]" % bytes(piece))
    except orjson.JSONDecodeError:
        return None
    return items


def _loose_items(piece: bytes | bytearray) -> list[object] | None:
    try:
        # Decoded here: ``loads`` itself would let surrogates pass.
        text = (b"[%b]" % bytes(piece)).decode()
        items: list[object] = json.loads(text, parse_float=_literal, parse_int=_literal)
    except ValueError:
        return None
    return items


def _literal(text: str) -> int | float | TooLargeNumber:
    return _number(text.encode())


def _number(literal: bytes) -> int | float | TooLargeNumber:
    """A number by itself: an integer if it is written as one and fits 64 bits, as in simdjson."""
    if len(literal) <= _LONGEST_INTEGER and literal.lstrip(b"-").isdigit():
        integer = int(literal)
        if -(1 << 63) <= integer < 1 << 64:
            return integer
    value = float(literal)
    return value if abs(value) != _INFINITY else TooLargeNumber(literal[:LONGEST_LITERAL].decode())
