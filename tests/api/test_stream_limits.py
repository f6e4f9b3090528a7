"""What streams may not do: limits of a batch, of the whole, and HTTP/1.0."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pyarrow as pa
import pytest

from api.batches import ARROW, JSON, NDJSON
from lossmeter.wire.arrow_frames import END
from servers import PATIENCE, Server, running
from wire.arrows import batch, batches, stream

if TYPE_CHECKING:
    from collections.abc import Iterator


from api.streaming import ROWS, duplex, large, lines, post, told


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server that takes little."""
    with running(max_body_bytes=4000, max_stream_bytes=40_000, max_elements=300, max_classes=8) as server:
        yield server


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
