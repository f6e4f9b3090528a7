"""NDJSON: rows and batches in lines, whatever way the lines arrive, and answers line for line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossmeter.errors import InvalidInputError, LossmeterError, MalformedBodyError
from lossmeter.wire import ndjson
from lossmeter.wire.json import as_array, encode
from lossmeter.wire.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = {"logits": [2.0, 0.5], "target": 0}
BATCH = {"logits": [[2.0, 0.5], [1.0, 1.0]], "targets": [0, 1]}

texts = st.binary(max_size=20).map(lambda text: text.replace(b"\n", b""))


def lines(*documents: object) -> bytes:
    """A line for each."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def pieces(content: bytes) -> Iterator[Piece]:
    """What a source makes of whole lines."""
    return ndjson.Source(1 << 20, 1 << 20, 64).pieces(content)


@given(st.lists(texts), st.booleans(), st.integers(1, 30))
def test_lines_are_whole(sent: list[bytes], ended: bool, size: int) -> None:  # noqa: FBT001 - drawn
    """However the bytes arrive, no unit ends within a line, and nothing is lost."""
    content = b"\n".join(sent) + (b"\n" if ended else b"")
    framer = ndjson.Lines()
    units = [
        unit for start in range(0, len(content), size) for unit in framer.feed(content[start : start + size])
    ]
    assert all(unit.endswith(b"\n") for unit in units)
    assert framer.held == len(content) - sum(map(len, units))
    assert b"".join([*units, *framer.finish()]) == content


def test_rows_come_together() -> None:
    """As the arrays that they would be in one request; empty lines are none."""
    (piece,) = pieces(b"\n" + lines(ROW, ROW) + b"\r\n \n" + lines({"target": 1, "logits": [0, 1]}))
    assert piece.lines == 3
    np.testing.assert_array_equal(
        as_array(piece.arrays["logits"], (), ranks=(2,)), [[2, 0.5], [2, 0.5], [0, 1]]
    )
    np.testing.assert_array_equal(as_array(piece.arrays["targets"], (), ranks=(1,)), [0, 0, 1])


def test_batches_come_one_by_one() -> None:
    """Between rows, too; rows with other members are scored by themselves."""
    weighed = ROW | {"sample_weight": 2.0}
    found = list(pieces(lines(ROW, BATCH, BATCH, ROW, weighed, weighed)))
    assert [piece.lines for piece in found] == [1, None, None, 1, 2]
    assert found[4].arrays.keys() == {"logits", "targets", "sample_weights"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not JSON"),
        (b'{"logits": [1], "target": 0', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'{"logits": [1], "target": 0},{"logits": [1], "target": 0}', "not JSON"),
        (b'{"a": [{"b": 1}', "not JSON"),
        (b'{"logits": [1], "target": 0, "target": 1}', "more than once"),
        (b'{"logits": [1], "id": 7}', "/id: unknown; a line without targets is a row"),
        (
            b'{"logits": [[1]], "targets": [0], "loss": "focal"}',
            "/loss: unknown; a line with targets is a batch",
        ),
        (b'{"logits": ["\xff"]}', "UTF-8"),
    ],
)
@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("after", [b"", lines(ROW), b'{"c": 2}]}\n'])
def test_what_comes_before_a_bad_line_is_given_first(
    line: bytes, says: str, before: int, after: bytes
) -> None:
    """Also when the lines behind it make JSON of it."""
    found = pieces(lines(*[ROW] * before) + line + b"\n" + after)
    assert sum(next(found).lines or 0 for _ in range(before and 1)) == before
    with pytest.raises((MalformedBodyError, InvalidInputError), match=says):
        next(found)


def test_errors_are_told_of_a_line() -> None:
    """Its members are in the singular, and the row is told apart from them."""
    (piece,) = pieces(lines(ROW, ROW))
    for path, pointer, row in (
        (("logits", 1, 0), "/logits/0", 1),
        (("targets", 1), "/target", 1),
        (("sample_weights",), "/sample_weight", None),
        (("temperature",), "/temperature", None),
        ((), "", None),
    ):
        error = InvalidInputError.at(*path, detail="is wrong")
        assert piece.row_of(error) == row
        assert piece.blame(error).problems[0].pointer == pointer


def test_the_first_rows_of_a_piece() -> None:
    """What is left when a later one is wrong."""
    (piece,) = pieces(lines(ROW, ROW, ROW))
    first = piece.first(2)
    assert first.lines == 2
    assert [len(rows) for rows in first.arrays.values()] == [2, 2]


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=5),
    st.integers(1, 3),
    st.sampled_from([np.float64, np.float32]),
    st.booleans(),
)
def test_answers_line_for_line(values: list[float], classes: int, dtype: type[Any], with_kl: bool) -> None:  # noqa: FBT001 - drawn
    """Each row's share of every part, spelled as in the JSON of the whole."""
    losses = np.array(values).astype(dtype)
    gradients = np.repeat(losses[:, None], classes, axis=1)
    kl = {"kl_divergence": losses, "cross_entropy": losses, "by_class": np.ones(classes)}
    document = {"loss": None, "losses": losses, "gradients": gradients} | ({"kl": kl} if with_kl else {})
    found = [json.loads(line) for line in ndjson.write_rows(document, len(values)).splitlines()]
    for row, line in enumerate(found):
        (spelled,) = json.loads(encode(losses[row : row + 1]))
        assert line["losses"] == spelled
        assert line["gradients"] == [spelled] * classes
        assert line.get("kl") == ({"cross_entropy": spelled, "kl_divergence": spelled} if with_kl else None)
    assert len(found) == len(values)


def test_an_answer_without_parts_has_lines() -> None:
    """One for each row all the same."""
    assert ndjson.write_rows({"loss": None}, 3) == b"{}\n" * 3


def test_a_batch_is_answered_in_a_line() -> None:
    """And the last record is one."""
    sink = ndjson.Sink()
    assert b"".join(sink.write({"loss": 1.0}, Piece({}))) == b'{"loss":1.0}\n'
    assert b"".join(sink.end("summary", {"count": 1})) == b'{"summary":{"count":1}}\n'


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([lines(ROW), lines(BATCH)])), max_size=6))
def test_rubbish_is_refused_or_read(parts: list[bytes]) -> None:
    """Never anything else."""
    try:
        for piece in pieces(b"\n".join(parts)):
            assert piece.arrays
    except LossmeterError as error:
        assert str(error)  # noqa: PT017 - it may as well be read
