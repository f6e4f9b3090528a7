"""Arrow streams: pyarrow's are read, ours pyarrow reads, and damaged ones are refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError, TooLargeError
from lossmeter.wire import arrow, arrow_answers
from lossmeter.wire.arrow_frames import END, Framer, kind_of, messages
from lossmeter.wire.columns import Layout
from lossmeter.wire.piece import Piece
from wire.arrows import batch, batches, lists, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOGITS = np.arange(12, dtype=np.float32).reshape(3, 4)
PLENTY = 1 << 30
CODECS = [None, "lz4", "zstd"]


def read(content: bytes, limit: int = PLENTY) -> dict[str, NDArray[Any]]:
    """The arrays of a whole stream."""
    return arrow.read(content, limit)[0]


def columns(**values: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - what pyarrow takes
    """The arrays of columns under these names, with targets beside them."""
    return read(stream([pa.RecordBatch.from_pydict({**values, "target": pa.array([0, 1, 2])})]))


@pytest.mark.parametrize("compression", CODECS)
@pytest.mark.parametrize("count", [1, 3])
def test_streams_are_read(compression: str | None, count: int) -> None:
    """Of one batch or of several, whose buffers are compressed or not."""
    found = read(stream([batch(LOGITS, [0, 1, 2])] * count, compression))
    np.testing.assert_array_equal(found["logits"], np.concatenate([LOGITS] * count))
    assert found["logits"].dtype == np.float32
    np.testing.assert_array_equal(found["targets"], [0, 1, 2] * count)


@given(st.integers(1, 300), st.sampled_from(CODECS))
def test_framing_does_not_depend_on_how_bytes_arrive(size: int, compression: str | None) -> None:
    """The framer gives the messages that lie in the whole."""
    content = stream([batch(LOGITS, [0, 1, 2])] * 3, compression)
    framer = Framer()
    found = [
        bytes(message)
        for start in range(0, len(content), size)
        for message in framer.feed(content[start : start + size])
    ]
    assert list(framer.finish()) == []
    assert found == [bytes(message) for message in messages(content)]
    assert len(found) == 4


def test_a_stream_may_end_without_its_mark() -> None:
    """The format leaves it open."""
    content = stream([batch(LOGITS, [0, 1, 2])]).removesuffix(END)
    assert len(read(content)["targets"]) == 3
    framer = Framer()
    assert len([*framer.feed(content), *framer.finish()]) == 2


def test_numbers_of_a_single_batch_are_a_view() -> None:
    """Of the body: nothing is copied."""
    content = stream([batch(np.zeros((1000, 10)), np.zeros(1000, int))])
    found = read(content)
    for name in ("logits", "targets"):
        assert np.shares_memory(found[name], np.frombuffer(content, np.uint8)), name


@pytest.mark.parametrize(
    "logits",
    [
        {"logits": lists(LOGITS)},
        {"logits": pa.array(LOGITS.tolist(), pa.list_(pa.float32()))},
        {"logits": pa.array(LOGITS.tolist(), pa.large_list(pa.float32()))},
        {f"logits_{place}": LOGITS[:, place] for place in range(4)},
        {f"logits.{place}": LOGITS[:, place] for place in (2, 0, 3, 1)},
        {"logits": lists(LOGITS.astype(np.float16))},
        {"logits": lists(LOGITS.astype(np.int32))},
    ],
)
def test_every_spelling_of_a_matrix(logits: dict[str, Any]) -> None:
    """Lists of fixed size or not, or a column per class in any order, of floats or integers."""
    np.testing.assert_array_equal(columns(**logits)["logits"], LOGITS)


def test_slices_of_arrays_are_read() -> None:
    """A batch may be a part of a larger one."""
    found = read(stream([batch(np.arange(40.0).reshape(10, 4), np.arange(10)).slice(3, 4)]))
    np.testing.assert_array_equal(found["logits"], np.arange(12.0, 28.0).reshape(4, 4))
    np.testing.assert_array_equal(found["targets"], np.arange(3, 7))


def test_weights_soft_targets_and_others() -> None:
    """Everything has its name, and what has none is carried."""
    rows = batch(LOGITS, [0, 1, 2]).drop_columns(["target"])
    rows = rows.append_column("target", lists(np.full((3, 4), 0.25)))
    rows = rows.append_column("sample_weight", pa.array([1.0, 2.0, 3.0]))
    rows = rows.append_column("country", pa.array(["a", None, "c"]))
    arrays, carried, layout = arrow.read(stream([rows]), PLENTY)
    assert arrays["targets"].shape == (3, 4)
    assert arrays["sample_weights"].tolist() == [1, 2, 3]
    assert layout.carried == ["country"]
    assert carried[0].column("country").to_pylist() == ["a", None, "c"]


REFUSED = {
    "nulls": ({"logits": pa.array([[1.0], None, [2.0]])}, "/logits/1", "is null"),
    "null elements": ({"logits": pa.array([[1.0, 2.0], [1.0, None], [2.0, 1.0]])}, "/logits/1/1", "is null"),
    "null numbers": ({"logits_0": pa.array([1.0, 2.0, None])}, "/logits_0/2", "is null"),
    "ragged rows": (
        {"logits": pa.array([[1.0, 2.0], [1.0], [2.0, 1.0]])},
        "/logits/1",
        "1 elements; expected 2",
    ),
    "texts": ({"logits": pa.array(["a", "b", "c"])}, "/logits", "type string"),
    "lists of texts": ({"logits": pa.array([["a"], ["b"], ["c"]])}, "/logits", "type string"),
    "booleans": ({"logits": pa.array([True, False, True])}, "/logits", "type bool"),
    "decimals": ({"logits": pa.array([1, 2, 3], pa.decimal128(5))}, "/logits", "decimal"),
    "two of one": ({"logits": [1.0, 2, 3], "logits_0": [1.0, 2, 3]}, "/logits_0", "beside"),
    "one of two": ({"logits_0": [1.0, 2, 3], "logits": [1.0, 2, 3]}, "/logits", "beside"),
    "target twice": ({"logits": [1.0, 2, 3], "targets": [1, 2, 3]}, "/target", "beside"),
    "a class missing": ({"logits_0": [1.0, 2, 3], "logits_2": [1.0, 2, 3]}, "/logits_2", "is column 1"),
    "no class 0": ({"logits_1": [1.0, 2, 3]}, "/logits_1", "numbered from 0"),
    "a list per class": ({"logits_0": pa.array([[1.0]] * 3)}, "/logits_0", "column per class"),
    "a union": (
        {"x": pa.UnionArray.from_sparse(pa.array([0, 0, 0], pa.int8()), [pa.array([1, 2, 3])])},
        "/x",
        "sparse_union",
    ),
    "a dictionary": ({"x": pa.array(["a", "b", "a"]).dictionary_encode()}, "/x", "dictionary"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_columns_that_are_refused(case: str) -> None:
    """Each by its own name, and where there is a row, by the row."""
    values, pointer, says = REFUSED[case]
    with pytest.raises(InvalidInputError, match=says) as caught:
        columns(**values)
    assert caught.value.problems[0].pointer == pointer


def test_two_columns_of_one_name_are_refused() -> None:
    """One of the two would be silently lost."""
    rows = pa.RecordBatch.from_arrays([pa.array([1.0]), pa.array([1.0])], ["x", "x"])
    with pytest.raises(InvalidInputError, match="same name"):
        read(stream([rows]))


def test_lengths_that_differ_between_batches_are_refused() -> None:
    """As they are within one."""
    rows = [pa.RecordBatch.from_pydict({"logits": [[1.0] * width]}) for width in (2, 3)]
    with pytest.raises(InvalidInputError, match="different batches"):
        read(stream(rows))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not even a schema"),
        (END, "not even a schema"),
        (b"ARROW1\0\0", "nor is a file of one"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", "not an Arrow IPC stream"),
        (b"\xff\xff\xff\xff\x08\0\0\0" + bytes(8), "neither a schema nor"),
        (b"\xff\xff\xff\xff\x08\0\0\0" + b"\xff" * 8, "damaged"),
        (stream([batch(LOGITS, [0, 1, 2])])[:-20], "cut off"),
        (stream([batch(LOGITS, [0, 1, 2])]) + b"x", "behind its end"),
        (stream([batch(LOGITS, [0, 1, 2])]) * 2, "behind its end"),
        (stream([batch(LOGITS, [0, 1, 2])]).removesuffix(END) * 2, "one schema, which comes first"),
    ],
)
def test_streams_that_are_malformed(content: bytes, says: str) -> None:
    """Each with a sentence, whether it comes whole or in pieces."""
    with pytest.raises(MalformedBodyError, match=says):
        read(content)
    framer = Framer()
    with suppress(MalformedBodyError):
        list(framer.feed(content))
        list(framer.finish())


def test_a_stream_that_is_cut_off_says_so_at_its_end() -> None:
    """Until then more may come."""
    framer = Framer()
    assert len(list(framer.feed(stream([batch(LOGITS, [0, 1, 2])])[:-20]))) == 1
    with pytest.raises(MalformedBodyError, match="cut off"):
        list(framer.finish())


def test_the_size_of_a_message_is_known_before_it_comes() -> None:
    """From its head: so that no more is received than is taken."""
    head = bytes(list(messages(stream([batch(np.zeros((10**5, 10)), np.zeros(10**5, int))])))[1][:1000])
    framer = Framer()
    assert list(framer.feed(head)) == []
    assert framer.held > 8_000_000


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_buffers_are_bounded(compression: str) -> None:
    """By what they would decompress to, before they are."""
    content = stream([batch(np.zeros((10**6, 10)), np.zeros(10**6, int))], compression)
    assert len(content) < 4_000_000
    with pytest.raises(TooLargeError, match="more than 64000000 bytes"):
        read(content, 64_000_000)


def test_a_lying_buffer_is_not_believed() -> None:
    """A compressed buffer of 16 bytes that says it is 2^62 long; pyarrow would try to allocate it."""
    content = bytearray(stream([batch(LOGITS, [0, 1, 2])], "zstd"))
    at = content.index(struct.pack("<q", LOGITS.nbytes), 300)
    content[at : at + 8] = struct.pack("<q", 1 << 62)
    with pytest.raises(TooLargeError):
        read(bytes(content))


def test_dictionaries_are_refused_by_their_messages() -> None:
    """They would have to be held for the whole stream."""
    rows = pa.RecordBatch.from_pydict({"x": pa.array(["a"]).dictionary_encode()})
    with pytest.raises(InvalidInputError, match="dictionary"):
        kind_of(list(messages(stream([rows])))[1], PLENTY)


@settings(max_examples=400)
@given(st.data(), st.sampled_from(CODECS))
def test_damaged_streams_are_refused_or_read(data: st.DataObject, compression: str | None) -> None:
    """Whatever is overwritten where; nothing crashes, and nothing else is raised."""
    rows = batch(LOGITS, [0, 1, 2], name=pa.array(["a", None, "ccc"]), nested=pa.array([[[1]], [], None]))
    content = bytearray(stream([rows, rows], compression))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    with suppress(LossmeterError):
        arrow.read(bytes(content), 1 << 20)


@given(st.binary(max_size=300))
def test_rubbish_is_refused(rubbish: bytes) -> None:
    """By the framer and by the reader of a whole."""
    for content in (rubbish, END[:4] + struct.pack("<i", len(rubbish)) + rubbish):
        with pytest.raises(LossmeterError):
            read(content)


ANSWER = {
    "loss": np.inf,
    "reduction": "mean",
    "losses": np.array([1.0, np.inf, np.nan]),
    "gradients": LOGITS,
    "kl": {"kl_divergence": np.zeros(3), "by_class": np.ones(4)},
    "probabilities": None,
}


def test_pyarrow_reads_an_answer() -> None:
    """Rows are columns, the columns of the request come behind them, and the rest is JSON in the metadata."""
    sink = arrow_answers.Sink()
    piece = Piece({}, carried=pa.RecordBatch.from_pydict({"id": ["a", "b", "c"]}))
    parts = [*sink.write(ANSWER, piece), *sink.write(ANSWER, piece), *sink.end("summary", {"count": 6})]
    first, second, last = batches(b"".join(parts))
    assert second[0].num_rows == 3
    assert first[0].schema.names == ["losses", "gradients", "kl.kl_divergence", "id"]
    np.testing.assert_array_equal(first[0].column("losses").to_numpy(), ANSWER["losses"])
    assert first[0].column("gradients").type == pa.list_(pa.float32(), 4)
    assert first[0].column("id").to_pylist() == ["a", "b", "c"]
    assert orjson.loads(first[1][b"lossmeter.batch"]) == {
        "loss": "Infinity",
        "reduction": "mean",
        "kl.by_class": [1.0] * 4,
    }
    assert last[0].num_rows == 0
    assert orjson.loads(last[1][b"lossmeter.summary"]) == {"count": 6}


def test_an_answer_without_batches_is_a_stream() -> None:
    """Of no columns, with what is to be said at its end."""
    ((rows, metadata),) = batches(b"".join(arrow_answers.Sink().end("problem", {"status": 422})))
    assert rows.num_rows == 0
    assert orjson.loads(metadata[b"lossmeter.problem"]) == {"status": 422}


def test_a_whole_answer_is_cut_into_batches() -> None:
    """Of some megabytes; carried columns are cut along, however they came."""
    answer = ANSWER | {"losses": np.arange(10**5), "gradients": np.zeros((10**5, 30)), "kl": None}
    carried = [
        pa.RecordBatch.from_pydict({"id": np.arange(70_000)}),
        pa.RecordBatch.from_pydict({"id": np.arange(30_000)}),
    ]
    *found, last = batches(b"".join(arrow_answers.Sink().write_whole(answer, carried)))
    assert len(found) > 2
    assert sum(rows.num_rows for rows, _ in found) == 10**5
    whole = pa.Table.from_batches([rows for rows, _ in found])
    np.testing.assert_array_equal(whole["losses"].to_numpy(), answer["losses"])
    np.testing.assert_array_equal(
        whole["id"].to_numpy(), np.concatenate([np.arange(70_000), np.arange(30_000)])
    )
    assert whole.schema.metadata[b"lossmeter.summary"] == last[1][b"lossmeter.summary"]


def test_large_columns_are_sent_from_where_they_lie() -> None:
    """An answer is not copied to be written."""
    gradients = np.zeros((10**5, 10))
    parts = list(arrow_answers.Sink().write({"gradients": gradients}, Piece({})))
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), gradients) for part in parts if len(part))


def test_a_carried_column_must_not_be_called_like_one_of_the_answer() -> None:
    """One of the two would be lost."""
    piece = Piece({}, carried=pa.RecordBatch.from_pydict({"losses": [1.0, 2.0, 3.0]}))
    with pytest.raises(InvalidInputError, match="/losses: is a column of the answer"):
        arrow_answers.Sink().write(ANSWER, piece)


def test_errors_are_told_of_columns() -> None:
    """The engine speaks of arrays; the caller sent columns."""
    layout = Layout(
        pa.schema([("logits_0", pa.float64()), ("logits_1", pa.float64()), ("target", pa.int64())])
    )
    piece = Piece({}, renamed=layout.renamed)
    for path, pointer in (
        (("logits", 3, 1), "/logits_1/3"),
        (("targets", 5), "/target/5"),
        (("loss",), "/loss"),
    ):
        error = piece.blame(InvalidInputError.at(*path, detail="is wrong"))
        assert error.problems[0].pointer == pointer
