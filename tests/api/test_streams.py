"""Streams: scored as they arrive, answered as they are done, ended by a summary or by a problem, in flat memory."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pyarrow as pa
import pytest

from api.batches import ARROW, JSON, NDJSON, NPZ
from lossmeter import engine
from lossmeter.wire.arrow_frames import END
from lossmeter.wire.compression import decompressor
from servers import PATIENCE, Server, running
from wire.arrows import batch, batches, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RANDOM = np.random.default_rng(1)
BATCHES = [
    (RANDOM.standard_normal((rows, 4)).astype(np.float32), RANDOM.integers(4, size=rows))
    for rows in (5, 1, 8)
]
RECORDS = [batch(logits, targets, id=pa.array(np.arange(len(targets)))) for logits, targets in BATCHES]
BAD = batch(np.zeros((3, 4), np.float32), [0, 4, 1], id=pa.array([7, 8, 9]))
ALL = 14
ROWS = [
    {"logits": row.tolist(), "target": int(target)}
    for logits, targets in BATCHES
    for row, target in zip(logits, targets, strict=True)
]
MiB = 1 << 20


def lines(*documents: object) -> bytes:
    """A line for each."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def told(metadata: dict[bytes, bytes], name: str) -> dict[str, Any]:
    """What a batch of the answer says of itself."""
    document: dict[str, Any] = json.loads(metadata[b"lossmeter." + name.encode()])
    return document


def post(
    client: httpx2.Client, media_type: str, content: bytes, accept: str = "", **query: str
) -> httpx2.Response:
    """A stream, answered in its own format if nothing else is asked for."""
    headers = {"Content-Type": media_type, "Accept": accept or media_type}
    return client.post("/v1/score", content=content, headers=headers, params=query)


def whole(**options: Any) -> float:  # noqa: ANN401 - the engine's
    """The loss of all rows together."""
    logits = np.concatenate([logits for logits, _ in BATCHES]).astype(np.float64)
    targets = np.concatenate([targets for _, targets in BATCHES])
    loss = engine.score(logits=logits, targets=targets, **options).loss
    assert loss is not None
    return loss


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_every_arrow_batch_is_answered_by_one(client: httpx2.Client, reduction: Any) -> None:  # noqa: ANN401 - a literal
    """With a reduction of its own, in the precision of what was sent; the last one tells of all."""
    response = post(client, ARROW, stream(RECORDS), reduction=reduction)
    assert response.headers["Content-Type"] == ARROW
    *answers, (empty, last) = batches(response.content)
    for (logits, targets), (rows, metadata) in zip(BATCHES, answers, strict=True):
        wanted = engine.score(logits=logits, targets=targets, reduction=reduction)
        np.testing.assert_array_equal(rows.column("losses").to_numpy(), wanted.losses)
        np.testing.assert_array_equal(
            rows.column("gradients").flatten().to_numpy().reshape(-1, 4), wanted.gradients
        )
        assert rows.column("id").to_pylist() == list(range(len(targets)))
        assert told(metadata, "batch")["loss"] == wanted.loss
    assert empty.num_rows == 0
    summary = told(last, "summary")
    assert summary.pop("loss") == pytest.approx(
        whole(reduction="sum" if reduction == "sum" else "mean"), rel=1e-6
    )
    assert summary == {
        "reduction": "sum" if reduction == "sum" else "mean",
        "unit": "nats",
        "denominator": ALL,
        "count": ALL,
        "ignored": 0,
        "batches": 3,
    }


def test_rows_of_ndjson_are_answered_line_for_line(client: httpx2.Client) -> None:
    """With the loss and the gradient of each; then the summary."""
    response = post(client, NDJSON, lines(*ROWS))
    assert response.headers["Content-Type"] == NDJSON
    *answers, last = [json.loads(line) for line in response.text.splitlines()]
    for row, answer in zip(ROWS, answers, strict=True):
        wanted = engine.score(logits=[row["logits"]], targets=[row["target"]], reduction="none")
        assert wanted.losses is not None
        assert wanted.gradients is not None
        assert wanted.kl is not None
        assert answer == {
            "losses": wanted.losses[0],
            "gradients": wanted.gradients[0].tolist(),
            "kl": {
                "target_entropy": wanted.kl.target_entropy[0],
                "cross_entropy": wanted.kl.cross_entropy[0],
                "kl_divergence": wanted.kl.kl_divergence[0],
            },
        }
    assert last["summary"]["loss"] == pytest.approx(whole(), rel=1e-14)
    assert (last["summary"]["count"], last["summary"]["batches"]) == (ALL, ALL)


def test_batches_of_ndjson_are_answered_as_json_is(client: httpx2.Client) -> None:
    """Each by the document that it would get alone."""
    documents = [{"logits": logits.tolist(), "targets": targets.tolist()} for logits, targets in BATCHES]
    *answers, last = post(client, NDJSON, lines(*documents), unit="bits").text.splitlines()
    for document, answer in zip(documents, answers, strict=True):
        alone = client.post("/v1/score?unit=bits", json=document).json()
        assert json.loads(answer) == alone
    assert json.loads(last)["summary"]["loss"] == pytest.approx(whole(unit="bits"), rel=1e-14)


def test_lines_as_arrow_and_arrow_as_lines(client: httpx2.Client) -> None:
    """What streams in one format can be answered in the other."""
    (rows, _), (_, last) = batches(post(client, NDJSON, lines(*ROWS), ARROW).content)
    assert rows.num_rows == ALL
    assert told(last, "summary")["count"] == ALL
    *answers, summary = post(client, ARROW, stream(RECORDS), NDJSON).text.splitlines()
    assert [json.loads(answer)["count"] for answer in answers] == [5, 1, 8]
    assert json.loads(summary)["summary"]["count"] == ALL


@pytest.mark.parametrize("accept", ["*/*", JSON, NPZ])
def test_arrow_is_scored_as_one_batch_if_no_stream_is_wanted(client: httpx2.Client, accept: str) -> None:
    """With one reduction over all of it."""
    response = post(client, ARROW, stream(RECORDS), accept)
    assert response.headers["Content-Type"] == (NPZ if accept == NPZ else JSON)
    if accept != NPZ:
        assert response.json()["loss"] == pytest.approx(whole(), rel=1e-6)


@pytest.mark.parametrize(
    "options", [{"include": "kl"}, {"include": "gradients", "reduction": "none"}, {"include": ""}]
)
def test_the_summary_does_not_depend_on_what_is_included(
    client: httpx2.Client, options: dict[str, str]
) -> None:
    """Losses that nobody asked for are counted, not sent."""
    if not options["include"]:
        options = {"include": "probabilities", "reduction": "none"}
    *answers, (_, last) = batches(post(client, ARROW, stream(RECORDS), **options).content)
    assert "losses" not in answers[0][0].schema.names
    assert told(last, "summary")["loss"] == pytest.approx(whole(), rel=1e-6)


@pytest.mark.parametrize("media_type", [ARROW, NDJSON])
def test_the_state_of_a_stream_is_that_of_all_its_rows(client: httpx2.Client, media_type: str) -> None:
    """To the byte, however it was cut; its batches need not carry theirs."""
    logits = np.concatenate([logits for logits, _ in BATCHES]).astype(np.float64)
    targets = np.concatenate([targets for _, targets in BATCHES])
    alone = client.post(
        "/v1/score",
        json={
            "logits": logits.tolist(),
            "targets": targets.tolist(),
            "include": ["state"],
            "state_encoding": "binary",
        },
    ).json()["state"]
    sent = lines(*ROWS)
    if media_type == ARROW:
        sent = stream(
            [batch(logits[start : start + 4], targets[start : start + 4]) for start in range(0, ALL, 4)]
        )
    query = {"include": "losses,state", "state_encoding": "binary"}
    response = post(client, media_type, sent, **query)
    if media_type == ARROW:
        *answers, (_, last) = batches(response.content)
        assert all("state" not in told(metadata, "batch") for _, metadata in answers)
        found = told(last, "summary")["state"]
    else:
        found = json.loads(response.text.splitlines()[-1])["summary"]["state"]
    assert found == alone


def test_batches_without_rows_are_counted(client: httpx2.Client) -> None:
    """They have no answer; so a stream may have no rows at all."""
    *answers, (_, last) = batches(post(client, ARROW, stream([RECORDS[0].slice(0, 0), RECORDS[0]])).content)
    assert len(answers) == 1
    assert told(last, "summary")["batches"] == 2
    ((_, only),) = batches(post(client, ARROW, stream([RECORDS[0].slice(0, 0)])).content)
    assert (told(only, "summary")["loss"], told(only, "summary")["count"]) == (0, 0)


def test_weights_and_ignored_rows_are_summed_up(client: httpx2.Client) -> None:
    """As in one batch of all."""
    sent = [row | {"sample_weight": place / 2} for place, row in enumerate(ROWS)]
    last = json.loads(post(client, NDJSON, lines(*sent), ignore_index="3").text.splitlines()[-1])["summary"]
    wanted = engine.score(
        logits=[row["logits"] for row in ROWS],
        targets=[row["target"] for row in ROWS],
        sample_weights=np.arange(ALL) / 2,
        ignore_index=3,
    )
    assert last["loss"] == pytest.approx(wanted.loss, rel=1e-14)
    assert (last["count"], last["ignored"]) == (wanted.count, wanted.ignored)
    assert last["denominator"] == pytest.approx(wanted.denominator, rel=1e-14)


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


def test_a_stream_in_a_content_coding(client: httpx2.Client) -> None:
    """Both ways; lines shrink, Arrow's numbers do not."""
    headers = {"Content-Type": NDJSON, "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    response = client.post("/v1/score", content=gzip.compress(lines(*ROWS)), headers=headers)
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(response.text.splitlines()[-1])["summary"]["count"] == ALL
    headers["Content-Type"] = headers["Accept"] = ARROW
    response = client.post("/v1/score", content=gzip.compress(stream(RECORDS)), headers=headers)
    assert "Content-Encoding" not in response.headers
    assert len(list(batches(response.content))) == 4


class Duplex:
    """A request that is being written while its answer is read."""

    def __init__(
        self, connection: socket.socket, media_type: str, headers: str = "", query: str = ""
    ) -> None:
        self.connection = connection
        head = (
            f"POST /v1/score{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nAccept: {media_type}\r\n"
            f"{headers}Transfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())

    def send(self, content: bytes) -> None:
        """A part of the body; an empty one ends it."""
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(content), content))

    def answer(self) -> HTTPResponse:
        """The answer, once its head has come."""
        response = HTTPResponse(self.connection, method="POST")
        response.begin()
        return response


@contextmanager
def duplex(server: Server, media_type: str, headers: str = "", query: str = "") -> Iterator[Duplex]:
    """Such a request on a connection of its own."""
    with socket.create_connection(server.address, timeout=PATIENCE) as connection:
        yield Duplex(connection, media_type, headers, query)


def test_lines_are_answered_while_more_are_to_come(server: Server) -> None:
    """Nothing waits for the end of the stream."""
    with duplex(server, NDJSON) as request:
        request.send(lines(ROWS[0]))
        response = request.answer()
        assert response.status == 200
        assert b'"losses"' in response.readline()
        for row in ROWS[1:]:
            request.send(lines(row))
            assert b'"losses"' in response.readline()
        request.send(b"")
        assert json.loads(response.readline())["summary"]["count"] == ALL
        assert response.readline() == b""


def test_compressed_lines_are_answered_while_more_are_to_come(server: Server) -> None:
    """A coding holds nothing back either."""
    decoder = decompressor("gzip")
    with duplex(server, NDJSON, "Accept-Encoding: gzip\r\n") as request:
        request.send(lines(ROWS[0]))
        response = request.answer()
        seen = b""
        while not seen.endswith(b"\n"):
            seen += decoder.feed(response.read1(1000))
        request.send(b"")
        assert b'"summary"' in decoder.feed(response.read())


def test_an_arrow_batch_is_answered_when_its_last_byte_has_come(server: Server) -> None:
    """However the bytes are cut."""
    content = stream(RECORDS)
    schema = pa.ipc.open_stream(content).schema.serialize().size
    first = len(stream(RECORDS[:1])) - len(END)
    with duplex(server, ARROW) as request:
        for start in range(0, first, 100):
            request.send(content[start : min(first, start + 100)])
        reader = pa.ipc.open_stream(pa.PythonFile(request.answer(), mode="r"))
        assert reader.read_next_batch().num_rows == 5
        assert schema < first
        request.send(content[first:])
        request.send(b"")
        assert [rows.num_rows for rows in reader] == [1, 8, 0]


def test_a_broken_line_ends_the_answer_before_the_request(server: Server) -> None:
    """The caller who is still sending gets the problem, and not a reset."""
    with duplex(server, NDJSON) as request:
        request.send(lines(ROWS[0]))
        response = request.answer()
        response.readline()
        for _ in range(20):
            request.send(lines({"logits": "rubbish"}) * 1000)
        assert json.loads(response.readline())["problem"]["row"] == 1
        assert response.getheader("Connection") == "close"
        assert response.read() == b""


def resident(server: Server) -> int:
    """Resident bytes of the server."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def many_lines() -> tuple[bytes, int]:
    """A megabyte of rows, and how many they are."""
    one = lines({"logits": RANDOM.standard_normal(50).tolist(), "target": 7})
    times = MiB // len(one)
    return one * times, times


def test_a_stream_is_longer_than_any_body_may_be() -> None:
    """And the server's memory does not grow with it; nor does it read ahead of a caller who does not read."""
    with running(max_body_bytes=2 * MiB, max_bytes_in_flight=2 * MiB) as server:
        content, times = many_lines()
        with duplex(server, NDJSON, query="?include=losses") as request:
            request.send(content)
            response = request.answer()
            before = resident(server)
            sender = threading.Thread(target=lambda: [*map(request.send, [*[content] * 23, b""])])
            sender.start()
            last = b""
            while line := response.readline():
                last = line
            sender.join()
        assert json.loads(last)["summary"]["count"] == 24 * times
        assert resident(server) - before < 8 * MiB


def test_a_caller_who_does_not_read_is_not_served_ahead() -> None:
    """Its sending stalls, after what the kernel buffers, and the server holds little of it."""
    with running(max_body_bytes=2 * MiB, max_bytes_in_flight=2 * MiB) as server:
        content, _ = many_lines()
        with duplex(server, NDJSON) as request:
            request.send(content)
            request.answer()
            before = resident(server)
            request.connection.settimeout(2)
            left = iter(range(200))
            with suppress(TimeoutError):
                for _ in left:
                    request.send(content)
            assert next(left, 200) < 100
            assert resident(server) - before < 16 * MiB


def test_a_caller_who_has_gone_stops_the_work() -> None:
    """The share of the bytes in flight is free again, and nothing is logged as a failure."""
    with running(max_body_bytes=2 * MiB, max_bytes_in_flight=2 * MiB, max_requests_per_caller=1) as server:
        for _ in range(3):
            with duplex(server, ARROW) as request:
                request.send(stream(RECORDS).removesuffix(END))
                request.answer().read1(10)
            deadline = time.monotonic() + PATIENCE
            while (status := httpx2.post(f"{server.url}/v1/score", json=ROW).status_code) == 429:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert status == 200
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "unexpected" not in log


ROW = {"logits": [[0.0, 1.0]], "targets": [0]}


def test_a_caller_who_goes_before_the_first_batch() -> None:
    """Nobody is answered, and nothing is logged as a failure."""
    with running() as server:
        with duplex(server, ARROW) as request:
            request.send(stream(RECORDS)[:100])
        assert httpx2.post(f"{server.url}/v1/score", json=ROW).status_code == 200
        log = server.log.read_text()
    assert "Traceback" not in log


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server that takes little."""
    with running(max_body_bytes=4000, max_stream_bytes=40_000, max_elements=300, max_classes=8) as server:
        yield server


def large(rows: int, classes: int) -> NDArray[np.float32]:
    """Logits."""
    return np.zeros((rows, classes), np.float32)


@pytest.mark.parametrize(
    ("media_type", "content", "status"),
    [
        (ARROW, stream([batch(large(200, 5), np.zeros(200, int))]), 413),
        (ARROW, stream([batch(large(70, 4), np.zeros(70, int))]), 413),
        (ARROW, stream([batch(large(2, 9), [0, 0])]), 422),
        (NDJSON, lines({"logits": [0.125] * 1000, "target": 0}), 413),
        (NDJSON, lines({"logits": [0] * 400, "target": 0}), 413),
        (NDJSON, lines({"logits": [0] * 9, "target": 0}), 422),
    ],
    ids=["bytes", "elements", "classes", "bytes of a line", "elements of a line", "classes of a line"],
)
def test_limits_hold_for_every_batch(tight: Server, media_type: str, content: bytes, status: int) -> None:
    """Of bytes, elements and classes: at once if it is the first, else at the end."""
    start = stream([batch(large(1, 4), [0])]).removesuffix(END) if media_type == ARROW else lines(ROWS[0])
    schema = len(pa.ipc.open_stream(content).schema.serialize()) if media_type == ARROW else 0
    with httpx2.Client(base_url=tight.url) as client:
        assert post(client, media_type, content).status_code == status
        if media_type == NDJSON:
            last = post(client, media_type, start * 3 + content).text.splitlines()[-1]
            assert json.loads(last)["problem"]["status"] == status
        elif status == 413:
            *answers, (_, metadata) = batches(post(client, media_type, start + content[schema:]).content)
            assert len(answers) == 1
            assert told(metadata, "problem")["status"] == status


def test_the_length_of_a_stream_can_be_limited(tight: Server) -> None:
    """Said before it is read if it is declared, and at the end if it is not; whole bodies have their own limit."""
    content = lines(*ROWS) * 50
    with httpx2.Client(base_url=tight.url) as client:
        assert post(client, NDJSON, content[:39_000].rpartition(b"\n")[0]).status_code == 200
        declared = post(client, NDJSON, content)
        assert declared.status_code == 413
        assert "longer than 40000 bytes" in declared.text
        assert post(client, ARROW, bytes(5000), JSON).status_code == 413
        headers = {"Content-Type": NDJSON}
        assert client.post("/v1/softmax", content=bytes(5000), headers=headers).status_code == 413
    with duplex(tight, NDJSON) as request:
        request.send(lines(*ROWS))
        response = request.answer()
        for _ in range(60):
            request.send(lines(*ROWS))
        assert json.loads(response.read().splitlines()[-1])["problem"]["status"] == 413


def test_http_1_0_knows_no_streams(server: Server) -> None:
    """Its answers have a length or end with the connection, which cannot be told from being cut off."""
    with socket.create_connection(server.address, timeout=PATIENCE) as connection:
        body = lines(*ROWS)
        head = f"POST /v1/score HTTP/1.0\r\nHost: x\r\nContent-Type: {NDJSON}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        response = HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 505
