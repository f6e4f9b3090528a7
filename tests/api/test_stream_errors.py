"""Streams with something wrong in them: at once it has its status, later it is told at the end of the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from api.batches import ARROW, NDJSON
from api.streaming import ALL, BAD, RECORDS, ROWS, lines, post, told
from lossmeter.wire.arrow_frames import END
from wire.arrows import batch, batches, stream

if TYPE_CHECKING:
    import httpx2


def test_a_broken_batch_ends_an_arrow_stream(client: httpx2.Client) -> None:
    """With a problem that names the batch and the row; everything before it is valid."""
    *answers, (_, last) = batches(post(client, ARROW, stream([*RECORDS, BAD, RECORDS[0]])).content)
    assert [rows.num_rows for rows, _ in answers] == [5, 1, 8]
    problem = told(last, "problem")
    assert (problem["status"], problem["batch"], problem["row"]) == (422, 3, ALL + 1)
    assert problem["errors"] == [
        {"pointer": "/target/1", "detail": problem["errors"][0]["detail"], "value": 4},
    ]
    assert b"lossmeter.summary" not in last


@pytest.mark.parametrize(
    ("end", "status", "row"),
    [
        (stream([*RECORDS, RECORDS[0]])[:-100], 400, None),
        (stream(RECORDS).removesuffix(END) + b"rubbish!" * 9, 400, None),
        (stream(RECORDS).removesuffix(END) + stream(RECORDS), 400, None),
        (
            stream([*RECORDS, batch(np.full((2, 4), np.nan, np.float32), [0, 0], id=pa.array([0, 0]))]),
            422,
            ALL,
        ),
        (
            stream([*RECORDS, batch(np.zeros((2, 4), np.float32), [0, None], id=pa.array([0, 0]))]),
            422,
            ALL + 1,
        ),
    ],
    ids=["cut off", "rubbish", "two streams", "not a number", "null"],
)
def test_whatever_is_wrong_later_is_told_at_the_end(
    client: httpx2.Client, end: bytes, status: int, row: int | None
) -> None:
    """And what was answered before stands."""
    *answers, (_, last) = batches(post(client, ARROW, end).content)
    assert len(answers) == 3
    problem = told(last, "problem")
    assert (problem["status"], problem["batch"], problem.get("row")) == (status, 3, row)


@pytest.mark.parametrize(
    ("bad", "status", "pointer"),
    [
        (lines({"logits": [0, 0, 0, 0], "target": 4}), 422, "/target"),
        (lines({"logits": [0, 0, 0, "x"], "target": 0}), 422, "/logits/3"),
        (lines({"logits": [0, 0, 0], "target": 0}), 422, "/logits"),
        (lines({"logits": [0, 0, 0, 0]}), 422, "/target"),
        (lines({"logits": [0, 0, 0, 0], "target": None}), 422, "/target"),
        (lines({"logits": [0, 0, 0, 0], "target": 0, "id": 7}), 422, "/id"),
        (b'{"logits": [0, 0, 0, 0], "target": \n', 400, None),
        (b"[]\n", 400, None),
    ],
)
def test_a_broken_line_ends_a_stream_of_lines(
    client: httpx2.Client, bad: bytes, status: int, pointer: str | None
) -> None:
    """After the answers to all lines before it, though they arrived together."""
    *answers, last = post(client, NDJSON, lines(*ROWS) + bad + lines(*ROWS)).text.splitlines()
    assert len(answers) == ALL
    problem = json.loads(last)["problem"]
    assert (problem["status"], problem["batch"], problem["row"]) == (status, ALL, ALL)
    assert problem.get("errors", [{"pointer": None}])[0]["pointer"] == pointer


def test_the_first_of_several_broken_lines_is_told(client: httpx2.Client) -> None:
    """Whatever the order is in which the parts of a batch are checked."""
    bad = [ROWS[0] | {"target": 9}, ROWS[1], ROWS[2] | {"logits": [0, 0, 0, "NaN"]}]
    *answers, last = post(client, NDJSON, lines(*ROWS[:2], *bad)).text.splitlines()
    assert len(answers) == 2
    problem = json.loads(last)["problem"]
    assert (problem["row"], problem["errors"][0]["pointer"]) == (2, "/target")


@pytest.mark.parametrize(
    ("media_type", "content", "query", "status", "says"),
    [
        (ARROW, stream([BAD]), {}, 422, "/target/1"),
        (ARROW, b"", {}, 400, "empty"),
        (ARROW, b"x", {}, 400, "cut off"),
        (ARROW, b"rubbish!", {}, 400, "not an Arrow IPC stream"),
        (NDJSON, b"", {}, 400, "empty"),
        (NDJSON, b"{", {}, 400, "not JSON"),
        (NDJSON, lines(ROWS[0]), {"temperature": "0"}, 422, "/temperature"),
        (NDJSON, lines(ROWS[0]), {"class_weights": "balanced"}, 422, "cannot be balanced"),
        (NDJSON, lines(ROWS[0]), {"targets": "1,2"}, 422, "in its body"),
        (NDJSON, lines(ROWS[0]), {"colour": "red"}, 422, "unknown field"),
        (NDJSON, lines(ROWS[0]), {"include": "nothing"}, 422, "/include"),
    ],
)
def test_what_is_wrong_at_once_has_its_status(  # noqa: PLR0917 - the parts of a case
    client: httpx2.Client, media_type: str, content: bytes, query: dict[str, str], status: int, says: str
) -> None:
    """As any refusal."""
    response = post(client, media_type, content, **query)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert says in response.text


def test_a_column_of_the_answers_name_cannot_be_carried(client: httpx2.Client) -> None:
    """It would hide the answer."""
    rows = RECORDS[0].append_column("losses", pa.array(np.zeros(5)))
    response = post(client, ARROW, stream([rows]))
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/losses"
