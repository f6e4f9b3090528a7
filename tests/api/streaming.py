"""Streams that tests send, in one piece or while the answer is read."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lossmeter import engine
from servers import PATIENCE, Server
from wire.arrows import batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
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


ROW = {"logits": [[0.0, 1.0]], "targets": [0]}


def large(rows: int, classes: int) -> NDArray[np.float32]:
    """Logits."""
    return np.zeros((rows, classes), np.float32)
