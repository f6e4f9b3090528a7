"""JSON documents whose arrays of numbers are NumPy arrays, in both directions.

Reading: simdjson, because it alone hands over a flat buffer of doubles, so that no number becomes a Python
object: for 39 MB of 20 000 × 100 doubles, orjson with ``numpy.array`` takes four and a half times as long, and
memory of four times the body instead of half of it (``benchmarks/json_codec.py`` prints the ratios). simdjson
does not say what it found where a number is too large, nor where in the body an error is; then, and where it
is not installed, the exact reader reads the same documents to the same results. Small documents are read by
orjson nevertheless, which is sooner done with them. Writing: orjson, because it
reads NumPy memory and writes the shortest digits that round-trip.

The readers refuse what the standard leaves open: duplicate keys (RFC 8259, 4: "names within an object SHOULD
be unique"), surrogates by halves, and more levels than ``max_depth``. A byte order mark before the document
is ignored, which RFC 8259, 8.1 allows; there is none in answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lossmeter.errors import TooLargeError
from lossmeter.wire import json_exact, json_small
from lossmeter.wire.arrays import as_array, count_numbers
from lossmeter.wire.json_encode import encode
from lossmeter.wire.json_parts import encode_in_parts
from lossmeter.wire.ledger import MOST_LOOSE
from lossmeter.wire.numbers import TooLargeNumber
from lossmeter.wire.occurrences import occurrences

if TYPE_CHECKING:
    from types import ModuleType

json_simd: ModuleType | None
try:
    from lossmeter.wire import json_pieces, json_simd
except ModuleNotFoundError:  # simdjson has no wheel for this Python
    json_simd = None

__all__ = ["TooLargeNumber", "as_array", "count_numbers", "decode", "encode", "encode_in_parts"]

DEFAULT_DEPTH: Final = 64


def decode(
    body: bytes | bytearray | memoryview, *, max_depth: int = DEFAULT_DEPTH, max_elements: int | None = None
) -> object:
    """The document in a body.

    A JSON array whose leaves are all numbers, or numbers spelled as strings (``"Infinity"``, ``"-Infinity"``,
    ``"NaN"``), and which is a rectangle of rank 1 or 2 becomes a C-contiguous float64 array: ``[]`` of shape
    (0,), ``[[], []]`` of shape (2, 0). Any other array is a list whose items follow the same rule, so ragged
    rows come as a list of arrays. A single number is an int if it is written as one and fits 64 bits, else a
    float; too large for a double, it is a ``TooLargeNumber``.

    Args:
        body: the JSON text in UTF-8.
        max_depth: how many containers may lie in one another.
        max_elements: refuse, before any parsing, a body that must hold more values; ``count_numbers`` tells
            exactly.

    Raises:
        MalformedBodyError: the body is not JSON or nested too deep; says line and column of a small one.
        InvalidInputError: a key appears twice in its object, an object has hundreds of keys, or the document
            has millions of values that are not in arrays of numbers.
        TooLargeError: the body has too many values.
    """
    text = bytes(body) if isinstance(body, memoryview) else body
    # A value and its comma are two bytes at least: most bodies need not be searched for commas.
    most = len(text) if max_elements is None else max_elements + MOST_LOOSE
    if len(text) // 2 > most and occurrences(text, b",") > most:
        raise TooLargeError(f"The body holds more than {max_elements} numbers.")
    small = json_small.read(text, max_depth)
    if small is not None:
        return small
    if json_simd is None:
        return json_exact.read(text, max_depth)
    try:
        return json_pieces.read(text, max_depth)
    except json_simd.UndecidedError:
        return json_exact.read(text, max_depth)
