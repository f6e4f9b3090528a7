"""Streams are answered while more is to come, in flat memory, and only as fast as the caller reads."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import numpy as np
import pyarrow as pa

from api.batches import ARROW, NDJSON
from api.streaming import ALL, RECORDS, ROW, ROWS, MiB, duplex, lines
from lossmeter.wire.arrow_frames import END
from lossmeter.wire.compression import decompressor
from servers import PATIENCE, Server, running
from wire.arrows import stream

RANDOM = np.random.default_rng(3)


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


def test_a_caller_who_goes_before_the_first_batch() -> None:
    """Nobody is answered, and nothing is logged as a failure."""
    with running() as server:
        with duplex(server, ARROW) as request:
            request.send(stream(RECORDS)[:100])
        assert httpx2.post(f"{server.url}/v1/score", json=ROW).status_code == 200
        log = server.log.read_text()
    assert "Traceback" not in log
