"""Gigabytes through POST /v1/score as one stream, and the server's memory meanwhile.

A socket is written by one thread and read by another, as a client of a stream must. The batches are float32 logits
and class indices in Arrow, or row objects in NDJSON; the answers are per-row losses and gradients in the same
format. They are counted, and the first and the last are scored again in this process. Memory is Linux's count of
the server's resident bytes, sampled ten times a second; the curve shows the largest in each twentieth of the time.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from load.process import resident
from load.servers import LOSSMETER, running
from lossmeter import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPES: Final = {"arrow": "application/vnd.apache.arrow.stream", "ndjson": "application/x-ndjson"}
BARS: Final = 20
TIMEOUT: Final = 600


@dataclass
class Watched:
    """What was seen of the server.

    Attributes:
        resting: resident bytes before the stream, once a small one has loaded everything.
        samples: seconds from its beginning, and resident bytes.
    """

    resting: int = 0
    samples: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """A batch, ready to be sent again and again.

    Attributes:
        head: what comes before the first.
        body: the batch.
        tail: what comes behind the last.
        logits: its numbers.
        targets: its truth.
    """

    head: bytes
    body: bytes
    tail: bytes
    logits: NDArray[np.float32]
    targets: NDArray[np.int64]


def main() -> None:
    """Start a server, send, read and watch; print the curve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=0.2, help="how much is sent (default: 0.2)")
    parser.add_argument("--rows", type=int, default=8192, help="of a batch (default: 8192)")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--format", choices=MEDIA_TYPES, default="arrow")
    arguments = parser.parse_args()
    batch = (arrow if arguments.format == "arrow" else ndjson)(arguments.rows, arguments.classes)
    times = max(2, round(arguments.gigabytes * 1e9 / len(batch.body)))
    with running(LOSSMETER) as (address, process):
        stream(address, batch, 1, arguments.format)
        watched = Watched(resting=resident(process))
        began = time.perf_counter()
        with watching(process, watched):
            received, rows, summary = stream(address, batch, times, arguments.format)
        seconds = time.perf_counter() - began
    assert summary["count"] == rows == times * arguments.rows, (summary, rows)
    report(batch, times, received, seconds, watched)


def arrow(rows: int, classes: int) -> Batch:
    """An Arrow record batch."""
    logits, targets = numbers(rows, classes)
    column = pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), classes)
    batch = pa.record_batch([column, pa.array(targets)], ["logits", "target"])
    return Batch(
        batch.schema.serialize().to_pybytes(),
        batch.serialize().to_pybytes(),
        b"\xff\xff\xff\xff\0\0\0\0",
        logits,
        targets,
    )


def ndjson(rows: int, classes: int) -> Batch:
    """Lines, each a row."""
    logits, targets = numbers(rows, classes)
    pairs = zip(logits.tolist(), targets.tolist(), strict=True)
    lines = b"".join(json.dumps({"logits": row, "target": target}).encode() + b"\n" for row, target in pairs)
    return Batch(b"", lines, b"", logits, targets)


def numbers(rows: int, classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and truth."""
    random = np.random.default_rng(0)
    logits = (3 * random.standard_normal((rows, classes))).astype(np.float32)
    return logits, random.integers(classes, size=rows)


def stream(address: tuple[str, int], batch: Batch, times: int, kind: str) -> tuple[int, int, dict[str, Any]]:
    """Sends the batch so many times, and reads meanwhile: bytes and rows of the answer, and its summary."""
    with socket.create_connection(address, timeout=TIMEOUT) as connection:
        sender = threading.Thread(
            target=send, args=(connection, batch, times, MEDIA_TYPES[kind]), daemon=True
        )
        sender.start()
        response = HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 200, response.read()
        answer = Counted(response)
        rows, summary = (read_arrow if kind == "arrow" else read_ndjson)(answer, batch)
        sender.join()
        return answer.count, rows, summary


def send(connection: socket.socket, batch: Batch, times: int, media_type: str) -> None:
    """The request, its body in chunks of HTTP that are a batch each."""
    head = (
        "POST /v1/score?include=losses,gradients&reduction=none HTTP/1.1\r\nHost: benchmark\r\n"
        f"Content-Type: {media_type}\r\nAccept: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    connection.sendall(head.encode())
    for part in (batch.head, *[batch.body] * times, batch.tail):
        if part:
            connection.sendall(b"%x\r\n" % len(part))
            connection.sendall(part)
            connection.sendall(b"\r\n")
    connection.sendall(b"0\r\n\r\n")


class Counted:
    """A file that counts what is read of it."""

    def __init__(self, response: HTTPResponse) -> None:
        self.count = 0
        self.closed = False
        self._response = response

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        data = self._response.read(size)
        self.count += len(data)
        return data

    def readline(self) -> bytes:
        """As of any file."""
        line = self._response.readline()
        self.count += len(line)
        return line


def read_arrow(answer: Counted, batch: Batch) -> tuple[int, dict[str, Any]]:
    """Rows and summary of an Arrow answer, batch by batch."""
    reader = pa.ipc.open_stream(pa.PythonFile(answer, mode="r"))
    rows, last = 0, None
    while True:
        try:
            found = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        if not found.batch.num_rows:
            summary: dict[str, Any] = json.loads(found.custom_metadata[b"lossmeter.summary"])
            check(batch, last.column("losses").to_numpy() if last is not None else np.empty(0))
            return rows, summary
        if last is None:
            check(batch, found.batch.column("losses").to_numpy())
        rows, last = rows + found.batch.num_rows, found.batch
    raise SystemExit("the stream has no summary")


def read_ndjson(answer: Counted, batch: Batch) -> tuple[int, dict[str, Any]]:
    """Rows and summary of an NDJSON answer, line by line."""
    first: list[float] = []
    rows = 0
    while line := answer.readline():
        if line.startswith(b'{"losses"'):
            if rows < len(batch.targets):
                first.append(json.loads(line)["losses"])
            rows += 1
        else:
            assert line.startswith(b'{"summary"'), line
            check(batch, np.array(first))
            summary: dict[str, Any] = json.loads(line)["summary"]
            return rows, summary
    raise SystemExit("the stream has no summary")


def check(batch: Batch, losses: NDArray[Any]) -> None:
    """A wrong answer is not timed."""
    logits = batch.logits.astype(losses.dtype)
    wanted = engine.score(logits=logits, targets=batch.targets, reduction="none", include=["losses"]).losses
    assert wanted is not None
    assert np.array_equal(losses, wanted)


@contextmanager
def watching(process: int, watched: Watched) -> Iterator[None]:
    """Samples the resident bytes of a process while the block runs."""
    stop = threading.Event()
    began = time.perf_counter()

    def watch() -> None:
        while not stop.wait(0.1):
            watched.samples.append((time.perf_counter() - began, resident(process)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def report(batch: Batch, times: int, received: int, seconds: float, watched: Watched) -> None:
    """Print the curve and what it took."""
    sent, rows = times * len(batch.body), times * len(batch.targets)
    most = max(memory for _, memory in watched.samples)
    print(f"sent {sent / 1e9:.2f} GB in {times} batches of {len(batch.body) / 1e6:.1f} MB, ", end="")
    print(f"received {received / 1e9:.2f} GB; {rows / 1e6:.2f} million rows in {seconds:.1f} s")
    print(f"server: {watched.resting / 2**20:.0f} MiB before, at most {most / 2**20:.0f} MiB\n")
    end = watched.samples[-1][0]
    for bar in range(BARS):
        here = [
            mem
            for at, mem in watched.samples
            if bar <= BARS * at / end < bar + 1 or (at == end and bar == BARS - 1)
        ]
        if here:
            memory = max(here) / 2**20
            print(f"{(bar + 1) / BARS:5.0%} {memory:5.0f} MiB {'#' * round(memory / 5)}")


if __name__ == "__main__":
    main()
