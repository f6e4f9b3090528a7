r"""The fast reader: simdjson parses, and its tape is copied straight into float64 arrays.

``as_buffer`` flattens an array of any depth without telling the shape, so the shape is proven. Rows must add
up to the flat size, which ``[[1, [2, 3]], [[], 4]]`` passes; therefore every array that was read is counted
as well, and the count must be that of the opening brackets in the body outside strings. Equality leaves no
room for an array that was flattened unseen. Where it fails, the document is read again, *distrusting*: by the
type of every element.

Three traps of the binding shape this module. ``len`` of an array or object saturates at 2^24 − 1, and
``as_list``, ``items`` and ``values`` write past the end of such a list: they are not used. Looking a key up
stops at a NUL, so that ``"a\u0000b"`` finds ``"a"``: such keys are left to the exact reader. And a flattening
that fails late at every level of a deep document would cost the square of its size: after a few failures the
reader distrusts the rest.

No single call of a C function walks over millions of Python objects: the interpreter lets other threads run between
calls only, and one of them answers the probes. Therefore the blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Sized
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
import simdjson

from lossmeter.errors import MalformedBodyError, TooLargeError
from lossmeter.wire.ledger import LIST, MATRIX, ROW, VALUE, Ledger, shorten
from lossmeter.wire.numbers import SPELLED, float64_of
from lossmeter.wire.occurrences import occurrences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

B = TypeVar("B", bound=Sized)

_SATURATED: Final = (1 << 24) - 1
_FAILURES: Final = 3
_BLOCK: Final = 1 << 12
_SMALL_BODY: Final = 1 << 20
_ONE_LARGE: Final = threading.Lock()
_WEIGHT: Final = 24
"""Bytes that simdjson has for a value and its comma, or for the two brackets of a container."""
_MOST_WEIGHT: Final = 512 << 20
_UNDECIDED: Final = ("NUMBER_ERROR", "BIGINT_ERROR", "DEPTH_ERROR")
_EMPTY: Final = object()


class UndecidedError(Exception):
    """simdjson cannot tell; the exact reader can."""


def read(body: bytes | bytearray, max_depth: int) -> object:
    """The document in the body, or UndecidedError, or what is wrong with it."""
    if len(body) <= _SMALL_BODY:
        return _read(body, max_depth)
    _check_weight(body)
    with (
        _ONE_LARGE
    ):  # the interpreter would let only one work at a time, but keep what all of them have parsed
        return _read(body, max_depth)


def _check_weight(body: bytes | bytearray) -> None:
    """Refuse what simdjson would need too much memory for: it has an index and a tape of all that it finds."""
    containers = occurrences(body, b"[") + occurrences(body, b"{")
    if _WEIGHT * containers <= _MOST_WEIGHT:
        containers += occurrences(body, b",")
    if _WEIGHT * containers > _MOST_WEIGHT:
        detail = "The body holds millions of values that are not in arrays of numbers"
        raise TooLargeError(f"{detail}; expected rows of numbers, of equal length.")


def _read(body: bytes | bytearray, max_depth: int) -> object:
    root = _parse(body)
    reader = _Reader(max_depth, patience=_FAILURES)
    document = reader.value(root)
    if not reader.has_seen_all(body):
        reader = _Reader(max_depth, patience=0)
        document = reader.value(root)
    reader.ledger.settle()
    return document


def _parse(body: bytes | bytearray) -> object:
    try:
        return simdjson.Parser().parse(body)
    except (ValueError, RuntimeError) as error:  # UnicodeDecodeError is a ValueError
        if len(body) <= _SMALL_BODY or str(error).startswith(_UNDECIDED):
            raise UndecidedError from error
        raise MalformedBodyError("The body is not JSON in UTF-8, as RFC 8259 defines it.") from error


class _Reader:
    """One walk over simdjson's document."""

    def __init__(self, max_depth: int, patience: int) -> None:
        self.ledger = Ledger(max_depth)
        self._patience = patience
        self._arrays = 0
        self._brackets_in_strings = 0

    def has_seen_all(self, body: bytes | bytearray) -> bool:
        """Whether no array was flattened unseen, which the number of opening brackets proves."""
        if self._brackets_in_strings and b"\\u005" in body:
            return False  # a bracket that was escaped is in the string, and not in the body
        return occurrences(body, b"[") == self._arrays + self._brackets_in_strings

    def value(self, element: object) -> object:
        """Any element as Python has it, arrays of numbers as NumPy has them."""
        if isinstance(element, simdjson.Array):
            return self._array(element)
        if isinstance(element, simdjson.Object):
            return self._object(element)
        if isinstance(element, str) and element not in SPELLED:
            self._brackets_in_strings += element.count("[")
        return element

    def _object(self, element: simdjson.Object) -> dict[str, object]:
        self.ledger.open()
        members: dict[str, object] = {}
        for seen, key in enumerate(element.keys()):
            if "\0" in key:
                raise UndecidedError
            self._brackets_in_strings += key.count("[")
            if self.ledger.admit(members, key, seen):
                self.ledger.spend(1)
                self.ledger.path.append(shorten(key))
                members[key] = self.value(element[key])
                self.ledger.path.pop()
        return members

    def _array(self, element: simdjson.Array) -> object:
        self.ledger.open()
        self._arrays += 1
        first = next(iter(element), _EMPTY)
        if first is _EMPTY:
            return np.empty(0)
        if isinstance(first, str) and first not in SPELLED:
            return self._list(element)  # names, such as slices: no numbers to look for
        found = self._rows(element) if isinstance(first, simdjson.Array) else self._vector(element)
        return self._list(element) if found is None else found

    def _vector(self, element: simdjson.Array) -> NDArray[np.float64] | None:
        """A flat array of numbers, else None."""
        size = len(element)
        flat = self._flatten(element, None if size >= _SATURATED else size)
        return flat if flat is not None else self._typed(element)

    def _rows(self, element: simdjson.Array) -> object:
        """A matrix, or its rows if they are ragged; None where anything but rows of numbers is inside."""
        self.ledger.check_depth(1)
        self.ledger.spend(MATRIX)
        rows = cast("Sequence[simdjson.Array]", element)
        try:
            lengths = np.concatenate(list(_blocks(rows, _lengths)))
        except TypeError:  # a number among the rows
            return None
        for long in np.flatnonzero(lengths >= _SATURATED).tolist():
            lengths[long] = sum(1 for _ in rows[long])
        flat = self._flatten(element, int(lengths.sum()))
        if flat is None and all(kinds == {simdjson.Array} for kinds in _blocks(element, _kinds)):
            flat = self._typed(chain.from_iterable(rows))
        if flat is None:
            return None
        self._arrays += lengths.size
        if (lengths == lengths[0]).all():
            return flat.reshape(lengths.size, int(lengths[0]))
        return self._split(flat, lengths)

    def _split(self, flat: NDArray[np.float64], lengths: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """Rows by themselves, as views of the numbers of all."""
        self.ledger.spend(ROW * lengths.size)
        return [flat[start:end] for start, end in pairwise([0, *np.cumsum(lengths).tolist()])]

    def _flatten(self, element: simdjson.Array, size: int | None) -> NDArray[np.float64] | None:
        """All numbers below an array, if there is nothing else and they are as many as expected."""
        if self._patience <= 0:
            return None
        try:
            flat = np.frombuffer(element.as_buffer(of_type="d"), np.float64)
        except TypeError:
            return None
        return flat if size is None or flat.size == size else None

    def _typed(self, elements: Iterable[object]) -> NDArray[np.float64] | None:
        """The numbers among elements by the type of each; it costs patience if others are among them."""
        numbers = float64_of(elements)
        self._patience -= numbers is None
        return numbers

    def _list(self, element: simdjson.Array) -> list[object]:
        """What is no array of numbers: rows of numbers a block at a time, other items one by one."""
        self.ledger.spend(LIST)
        items: list[object] = []
        for block in _blocks(element, list):
            many = self._block_of_strings(block) or self._block_of_rows(block)
            if many is not None:
                items += many
                continue
            for child in block:
                self.ledger.path.append(len(items))
                items.append(self.value(child))
                self.ledger.path.pop()
            self.ledger.spend(VALUE * len(block))
        return items

    def _block_of_strings(self, block: Sequence[object]) -> Sequence[object] | None:
        if set(map(type, block)) != {str}:
            return None
        strings = cast("Sequence[str]", block)
        # Those that are spelled numbers are counted by nobody, but hold no bracket either.
        self._brackets_in_strings += "".join(strings).count("[")
        self.ledger.spend(len(strings))
        return strings

    def _block_of_rows(self, block: Sequence[object]) -> list[NDArray[np.float64]] | None:
        if set(map(type, block)) != {simdjson.Array}:
            return None
        self.ledger.check_depth(1)
        rows = cast("Sequence[simdjson.Array]", block)
        lengths = np.fromiter(map(len, rows), np.int64)
        flat = float64_of(chain.from_iterable(rows))
        if flat is None or flat.size != lengths.sum():
            return None
        self._arrays += lengths.size
        return self._split(flat, lengths)


def _blocks(items: Iterable[object], read: Callable[[Iterable[Any]], B]) -> Iterator[B]:
    """What is read of the items, a few thousand at a time; no more of them are there at once than that needs."""
    remaining = iter(items)
    while len(block := read(islice(remaining, _BLOCK))):
        yield block


def _lengths(rows: Iterable[Sequence[object]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), np.int64)


def _kinds(items: Iterable[object]) -> set[type]:
    return set(map(type, items))
