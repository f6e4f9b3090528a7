"""Parquet files: every way of writing one is read, and no file makes more than the limits of itself."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError
from lossmeter.wire import parquet as codec
from lossmeter.wire.parquet_pages import check_pages
from lossmeter.wire.thrift import Reader
from wire.arrows import lists, parquet

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLENTY = 1 << 30
N = 1000
LOGITS = np.random.default_rng(0).standard_normal((N, 4)).astype(np.float32)
TARGETS = np.arange(N) % 4
IDS = [f"row {row % 7}" for row in range(N)]

BY_LISTS = pa.table({"logits": lists(LOGITS), "target": TARGETS, "id": IDS})
BY_CLASS = pa.table(
    {**{f"logits.{place}": LOGITS[:, place] for place in range(4)}, "target": TARGETS, "id": IDS}
)


def read(
    content: bytes, limit: int = PLENTY, most: int = PLENTY, *, carry: bool = True
) -> dict[str, NDArray[Any]]:
    """The arrays of a file."""
    return codec.read(content, limit, most, carry=carry)[0]


@pytest.mark.parametrize("table", [BY_LISTS, BY_CLASS], ids=["lists", "classes"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "none"},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"compression": "zstd", "data_page_size": 1000},
        {"compression": "brotli", "row_group_size": 300},
        {"compression": "lz4", "use_dictionary": False, "write_page_index": True},
        {"store_schema": False, "version": "1.0"},
        {"write_statistics": False, "write_page_checksum": True},
        {"use_dictionary": ["id", "target"], "sorting_columns": [pq.SortingColumn(0)]},
    ],
    ids=str,
)
def test_files_are_read(table: pa.Table, options: dict[str, Any]) -> None:
    """Whatever its pages, row groups, codecs and encodings are."""
    arrays, carried, layout = codec.read(parquet(table, **options), PLENTY, PLENTY, carry=True)
    np.testing.assert_array_equal(arrays["logits"], LOGITS)
    assert arrays["logits"].dtype == np.float32
    np.testing.assert_array_equal(arrays["targets"], TARGETS)
    assert layout.carried == ["id"]
    assert pa.Table.from_batches(carried)["id"].to_pylist() == IDS


def test_columns_that_nobody_wants_are_not_read() -> None:
    """So they may be anything."""
    table = BY_LISTS.append_column("nested", pa.array([{"a": [1]}] * N))
    arrays, carried, layout = codec.read(parquet(table), PLENTY, 6000, carry=False)
    assert arrays.keys() == {"logits", "targets"}
    assert carried == []
    assert layout.carried == []


@pytest.mark.parametrize(
    "dates", [pa.array([0] * N, pa.date32()), pa.nulls(N), pa.array([True] * N), pa.array([b"x"] * N)]
)
def test_plain_columns_are_carried(dates: pa.Array) -> None:
    """With their types and nulls."""
    carried = codec.read(parquet(BY_LISTS.append_column("when", dates)), PLENTY, PLENTY, carry=True)[1]
    assert pa.Table.from_batches(carried)["when"].combine_chunks() == dates


@pytest.mark.parametrize(
    "values",
    [pa.array([{"a": 1}] * N), pa.array([[1]] * N), pa.array([bytes(100)] * N, pa.binary(100))],
    ids=["struct", "list", "wide"],
)
def test_columns_that_cannot_be_carried_are_named(values: pa.Array) -> None:
    """Those whose size the pages do not tell."""
    with pytest.raises(InvalidInputError, match=r"/odd: .* cannot be carried"):
        read(parquet(BY_LISTS.append_column("odd", values)))


def test_a_small_file_of_many_equal_values_is_bounded() -> None:
    """A dictionary makes a million numbers of a few bytes: they are counted before they are made."""
    zeros = pa.table({"logits": lists(np.zeros((10**6, 4))), "target": np.zeros(10**6, int)})
    content = parquet(zeros, compression="zstd")
    assert len(content) < 100_000
    with pytest.raises(TooLargeError, match="more than 1000000 values"):
        read(content, most=10**6)


def test_pages_that_decompress_to_too_much_are_refused() -> None:
    """By what each page's own header says."""
    content = parquet(
        pa.table({"logits": lists(np.zeros((10**5, 4)))}), compression="zstd", use_dictionary=False
    )
    assert len(content) < 20_000
    with pytest.raises(TooLargeError, match="decompress to more than 1000000 bytes"):
        read(content, limit=10**6)


def test_texts_are_bounded_before_they_are_spelt_out() -> None:
    """A long text that stands once in the file would stand in every row."""
    table = BY_LISTS.append_column("note", pa.array(["x" * 10_000] * N))
    content = parquet(table)
    assert len(content) < 100_000
    with pytest.raises(TooLargeError, match="texts in the column note"):
        read(content, limit=10**6)
    assert read(content, limit=10**6, carry=False).keys() == {"logits", "targets"}


def test_pages_are_few() -> None:
    """Walking over millions of them would take longer than scoring."""
    content = parquet(pa.table({"target": np.arange(12_000)}), row_group_size=1, write_statistics=False)
    with pytest.raises(TooLargeError, match="write larger row groups"):
        check_pages(memoryview(content), ["target"], PLENTY, PLENTY)


def test_metadata_are_short() -> None:
    """They are read value by value."""
    table = pa.table({f"c{place}": [0] for place in range(5_000)})
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema) as writer:
        for _ in range(5):
            writer.write_table(table)
    with pytest.raises(TooLargeError, match="metadata of the Parquet file are too long"):
        check_pages(memoryview(file.getvalue()), ["c0"], PLENTY, PLENTY)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (b"", "cut off"),
        (b"\x15", "cut off"),
        (b"\x18\x7f", "cut off"),
        (b"\x15" + b"\xff" * 11, "too long"),
        (b"\x1b\x00", "are none"),
        (b"\x1c" * 20, "too deeply"),
        (b"\x19\x19" + b"\x19" * 20, "too deeply"),
        (b"\x19\xf3\xff\xff\xff\x7f" + b"\x00" * 600_000, "are too long"),
    ],
    ids=["nothing", "half", "short text", "long number", "a map", "structs", "lists", "many"],
)
def test_metadata_that_are_refused(metadata: bytes, says: str) -> None:
    """Cut off, of unknown types, or of more than anyone needs."""
    body = metadata + struct.pack("<I", len(metadata)) + b"PAR1"
    with pytest.raises(LossmeterError, match=says):
        check_pages(memoryview(body), ["x"], PLENTY, PLENTY)


def test_every_type_of_metadata_is_passed_over() -> None:
    """Also those that files do not have yet: a later version may."""
    values = [b"\x13\x07", b"\x17" + bytes(8), b"\x18\x03abc", b"\x19\x25\x02\x04", b"\x19\x21\x01\x02"]
    metadata = b"\x11\x12" + b"".join(values) + b"\x19\xf3\x10" + bytes(16) + b"\x05\x20\x02\x00"
    reader = Reader(memoryview(metadata), 0, 100)
    assert len(reader.struct()) == 9
    assert reader.at == len(metadata)


def test_a_field_of_the_wrong_type_is_another_field() -> None:
    """As it is for the reader that is judged for."""
    assert Reader(memoryview(b"\x15\x02\x06\x02\x04\x00"), 0, 100).struct() == {(1, 5): 1, (1, 6): 2}


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", parquet(BY_LISTS)[:-5], parquet(BY_LISTS)[4:]]
)
def test_files_that_are_malformed(content: bytes) -> None:
    """They are no Parquet files, or were cut off."""
    with pytest.raises(MalformedBodyError):
        read(content)


@settings(max_examples=300)
@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    """Whatever is overwritten where; nothing crashes, and nothing else is raised."""
    content = bytearray(
        parquet(BY_LISTS.slice(0, 50), compression=data.draw(st.sampled_from(["none", "snappy"])))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    with suppress(LossmeterError):
        codec.read(bytes(content), 1 << 20, 10**5, carry=data.draw(st.booleans()))


def test_rows_without_columns() -> None:
    """A file of nothing has no arrays; what is missing is the endpoint's to say."""
    file = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2]}), file)
    assert read(file.getvalue()) == {}
