"""A state as a JSON document, and the only door by which one comes back: what is not canonical is refused.

Keys are written as gaps (how many are left out before each), so they ascend whatever is sent; digits are written plane
by plane. A table that is empty is left out. So equal states are equal documents, byte for byte.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine.state.digits import Digits
from lossmeter.engine.state.layout import (
    LONGEST_NAME,
    MOST_VALUES,
    TABLES,
    VERSION,
    WHOLE,
    Shape,
    most_keys,
)
from lossmeter.engine.state.options import fingerprint, read_options, shape_of
from lossmeter.engine.state.tables import Table
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lossmeter.engine.state.layout import Shape
    from lossmeter.errors import Step

FIELDS = ("version", "fingerprint", "options", "slices", "tables")

PLACES = range(-160, 160)
"""Where digits may lie: what sums of products of three doubles reach, and more."""

MOST_WHOLE = 1
"""Counts have digits in the places 0 and 1 only: they are below 2⁶⁴."""


def to_document(
    options: Mapping[str, Any], slices: Mapping[str, tuple[str, ...]], tables: Mapping[str, Table]
) -> dict[str, Any]:
    """JSON-able, the numbers in NumPy arrays."""
    return {
        "version": VERSION,
        "fingerprint": fingerprint(options),
        "options": dict(options),
        "slices": {name: list(values) for name, values in slices.items()},
        "tables": {
            name: {
                "gaps": np.diff(table.keys, prepend=-1).astype(np.int64) - 1,
                "low": table.digits.low,
                "digits": [plane.astype(np.int64) for plane in table.digits.planes],
            }
            for name, table in tables.items()
            if len(table.keys)
        },
    }


def from_document(sent: object) -> tuple[dict[str, Any], dict[str, tuple[str, ...]], dict[str, Table]]:
    """Options, slices and tables of a document.

    Raises:
        InvalidInputError: anything that ``to_document`` would not have written, with its path.
    """
    if not isinstance(sent, dict):
        raise InvalidInputError.at(detail="a state is wanted, an object")
    if sent.get("version") != VERSION or type(sent["version"]) is not int:
        detail = f"a state of version {VERSION} is wanted"
        raise InvalidInputError.at("version", detail=detail, value=_shown(sent.get("version")))
    if set(sent) != set(FIELDS):
        raise InvalidInputError.at(detail=f"a state has exactly {', '.join(FIELDS)}")
    options = read_options(sent["options"])
    if sent["fingerprint"] != fingerprint(options):
        detail = f"these options have the fingerprint {fingerprint(options)}"
        raise InvalidInputError.at("fingerprint", detail=detail, value=_shown(sent["fingerprint"]))
    slices = _read_slices(sent["slices"], options["slices"])
    shape = shape_of(options, sum(map(len, slices.values())))
    tables = _read_tables(sent["tables"], shape)
    if len(tables["slices"].keys) != shape.slices:
        raise InvalidInputError.at("tables", "slices", detail="a row for every slice is wanted")
    return options, slices, tables


def _shown(value: object) -> object:
    """A scalar of the document as an error may show it."""
    return value if isinstance(value, (int, float)) else str(value)[:LONGEST_NAME]


def _read_slices(sent: object, dimensions: list[str]) -> dict[str, tuple[str, ...]]:
    if not isinstance(sent, dict) or sorted(sent) != dimensions:
        raise InvalidInputError.at("slices", detail="the values of each dimension in options are wanted")
    found = {name: _read_values(sent[name], "slices", name) for name in dimensions}
    if sum(map(len, found.values())) > MOST_VALUES:
        detail = f"at most {MOST_VALUES} values of all dimensions are wanted"
        raise InvalidInputError.at("slices", detail=detail)
    return found


def _read_values(sent: object, *path: Step) -> tuple[str, ...]:
    fits = (
        isinstance(sent, list)
        and len(sent) <= MOST_VALUES
        and all(isinstance(value, str) and len(value) <= LONGEST_NAME for value in sent)
        and all(first < second for first, second in pairwise(sent))
    )
    if not fits:
        detail = f"at most {MOST_VALUES} strings of at most {LONGEST_NAME} characters are wanted, sorted, each once"
        raise InvalidInputError.at(*path, detail=detail)
    return tuple(sent)  # type: ignore[arg-type]  # a list, as just seen


def _read_tables(sent: object, shape: Shape) -> dict[str, Table]:
    if not isinstance(sent, dict) or not set(sent) <= set(TABLES):
        raise InvalidInputError.at("tables", detail=f"an object is wanted with some of {', '.join(TABLES)}")
    return {
        name: _read_table(sent[name], name, shape) if name in sent else Table.empty(len(columns))
        for name, columns in TABLES.items()
    }


def _read_table(sent: object, name: str, shape: Shape) -> Table:
    path = ("tables", name)
    if not isinstance(sent, dict) or set(sent) != {"gaps", "low", "digits"}:
        raise InvalidInputError.at(*path, detail="an object is wanted with gaps, low and digits")
    limit, columns = most_keys(name, shape), TABLES[name]
    gaps = _integers(sent["gaps"], limit, *path, "gaps")
    with np.errstate(over="ignore"):
        keys = np.cumsum(gaps.astype(np.float64) + 1) - 1
    if not len(keys) or keys[-1] >= limit:
        detail = f"at least one key is wanted, all below {limit}"
        raise InvalidInputError.at(*path, "gaps", detail=detail)
    digits = _read_digits(sent, len(keys) * len(columns), *path)
    table = Table(keys.astype(np.intp), len(columns), digits)
    _check_rows(table, columns, *path)
    return table


def _read_digits(sent: Mapping[str, Any], sums: int, *path: Step) -> Digits:
    low, planes = sent["low"], sent["digits"]
    if type(low) is not int or low not in PLACES:
        detail = f"a whole number in {PLACES.start} … {PLACES.stop - 1} is wanted"
        raise InvalidInputError.at(*path, "low", detail=detail)
    if not isinstance(planes, (list, np.ndarray)) or not 0 < len(planes) <= PLACES.stop - low:
        raise InvalidInputError.at(*path, "digits", detail="a list of planes of digits is wanted")
    read = np.empty((len(planes), sums), np.uint32)
    for place, plane in enumerate(planes):
        integers = _integers(plane, 1 << 32, *path, "digits", place)
        if len(integers) != sums:
            detail = f"{sums} digits are wanted, one for each key and column, not {len(integers)}"
            raise InvalidInputError.at(*path, "digits", place, detail=detail)
        read[place] = integers
    if not (read[0].any() and read[-1].any()):
        raise InvalidInputError.at(
            *path, "digits", detail="neither the first nor the last plane may be all zeros"
        )
    return Digits(low, read)


def _check_rows(table: Table, columns: tuple[str, ...], *path: Step) -> None:
    """No row of zeros, and counts that count."""
    cube = table.digits.planes.reshape(-1, len(table.keys), table.columns)
    if not cube.any(axis=(0, 2)).all():
        raise InvalidInputError.at(*path, "digits", detail="every key must have a sum that is not 0")
    places = np.arange(table.digits.low, table.digits.high)
    outside = (places < 0) | (places > MOST_WHOLE)
    for place, column in enumerate(columns):
        if column in WHOLE and cube[outside, :, place].any():
            raise InvalidInputError.at(*path, "digits", detail=f"{column} must be whole numbers below 2^64")


def _integers(sent: object, limit: int, *path: Step) -> NDArray[np.int64]:
    """A list of whole numbers in 0 … limit − 1; floats that are whole will do, as binary readers give them."""
    array = np.asarray(sent) if isinstance(sent, np.ndarray) or _flat(sent) else np.zeros((0, 0))
    fits = array.ndim == 1 and (array.dtype.kind in "iuf" or not array.size)
    if fits and array.size:
        fits = bool(np.min(array) >= 0 and np.max(array) < limit and (array == np.floor(array)).all())
    if not fits:
        raise InvalidInputError.at(*path, detail=f"a list of whole numbers in 0 … {limit - 1} is wanted")
    return array.astype(np.int64)


def _flat(sent: object) -> bool:
    """Whether it is a list of numbers; bool is none."""
    return isinstance(sent, list) and set(map(type, sent)) <= {int, float}
