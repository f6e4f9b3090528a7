"""Clients that trickle, or that do not read: good clients do not notice, and all is freed in time."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resilience.targets import Target, Watch, of_size
from servers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resilience.conftest import Tell

SMALL = b'{"logits":[[1,2]],"targets":[0],"include":[]}'
MANY = [150, pytest.param(1000, marks=pytest.mark.long)]


class Trickle:
    """Many connections that send a byte now and then.

    Attributes:
        open: those that are not closed yet.
        said: what they were told.
    """

    def __init__(self, target: Target, count: int, sent: bytes) -> None:
        self.open: list[socket.socket] = []
        self.said = b""
        for _ in range(count):
            connection = target.connect()
            connection.settimeout(0)
            connection.send(sent)
            self.open.append(connection)

    def run(self, seconds: float, pause: float = 0.3) -> None:
        """Sends on for so long, or until all are closed."""
        last = time.monotonic() + seconds
        while self.open and time.monotonic() < last:
            self.open = [connection for connection in self.open if self._goes_on(connection)]
            time.sleep(pause)

    def _goes_on(self, connection: socket.socket) -> bool:
        with suppress(BlockingIOError):
            try:
                said = connection.recv(4096)
                self.said += said
                if said:
                    return True
            except (ConnectionResetError, BrokenPipeError):
                said = b""
            connection.close()
            return False
        with suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            connection.send(b"a")
        return True

    def end(self) -> None:
        """Closes what is left."""
        for connection in self.open:
            connection.close()


def good_clients(target: Target) -> Watch:
    """Watches how long a small request takes; 60 s if it fails."""
    body = target.wrap(SMALL)

    def ask() -> float:
        answer = target.ask(body)
        return answer.seconds if answer.status == 200 else 60.0

    return Watch(ask, 0.005)


def trickle(target: Target, sent: bytes, count: int, seconds: float) -> dict[str, float]:
    """Inflicts so many slow senders; how many are open in the end, and how others fare meanwhile."""
    with good_clients(target).on() as before:
        time.sleep(2)
    flood = Trickle(target, count, sent)
    with good_clients(target).on() as during:
        flood.run(seconds)
    open_still, told = len(flood.open), flood.said.count(b"HTTP/1.1 408")
    flood.end()
    return {
        "open": open_still,
        "told": told,
        "p99 before": before.p99,
        "p99": during.p99,
        "worst": during.most,
    }


def heads(target: Target, count: int = 150, seconds: float = 8) -> dict[str, float]:
    """Heads that never end."""
    return trickle(target, f"POST {target.path} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode(), count, seconds)


def bodies(target: Target, count: int = 150, seconds: float = 8) -> dict[str, float]:
    """Bodies that never end, and that there is room for."""
    return trickle(target, target.head(100_000) + b'{"logits":[[1', count, seconds)


@pytest.mark.parametrize("count", MANY)
@pytest.mark.parametrize("fault", [heads, bodies], ids=["heads", "bodies"])
def test_trickling(
    target: Target, fault: Callable[[Target, int], dict[str, float]], count: int, tell: Tell
) -> None:
    """Within the deadline all are told and closed, and others are answered meanwhile."""
    figures = fault(target, count)
    tell(f"{count} trickling {fault.__name__}", figures)
    assert figures["open"] == 0
    assert figures["told"] == count
    assert figures["worst"] < 30


def test_others_are_answered_while_many_are_refused(target: Target, tell: Tell) -> None:
    """However many are too slow at the same moment, the event loop goes on between them."""
    count = 700

    def left() -> float:
        assert target.ask(SMALL).status == 200
        return target.sockets()

    flood = Trickle(target, count, b"POST ")
    with Watch(left, 0).on() as watch:
        last = time.monotonic() + 20
        while target.sockets() > count // 10 and time.monotonic() < last:
            time.sleep(0.1)
    flood.end()
    most = max(before - after for before, after in pairwise(watch.seen))
    tell(f"{count} slow heads", {"most refused between two answers": most})
    assert max(watch.seen) > count / 2
    assert watch.seen[-1] <= count // 10
    assert most < 0.6 * count


@contextmanager
def held_by_slow_senders(refused: int, **settings: Any) -> Iterator[Target]:  # noqa: ANN401  as servers.running takes them
    """A server of whose bytes in flight four senders hold what they may, slowly; more is refused with this status."""
    with (
        running(max_body_bytes=2**20, max_bytes_in_flight=4 * 2**20, min_body_rate=1, **settings) as server,
        ExitStack() as stack,
    ):
        target = Target(server.url, server.pid)
        for _ in range(4):
            connection = stack.enter_context(target.connect())
            connection.sendall(target.head(2**20) + b'{"logits":[[1')
        last = time.monotonic() + 20
        while (own := target.ask(of_size(100_000))).status != refused and time.monotonic() < last:
            time.sleep(0.05)
        assert (own.status, own.headers["retry-after"]) == (refused, "1")
        yield target


def test_slow_large_bodies_keep_no_small_one_out() -> None:
    """A few senders can declare all the bytes that may be in flight, and take their time; small requests are served."""
    with held_by_slow_senders(503, max_bytes_per_caller=4 * 2**20) as target:
        assert target.ask(of_size(100_000)).status == 503
        assert [target.ask(SMALL).status for _ in range(100)] == [200] * 100


def test_a_slow_caller_keeps_no_other_out() -> None:
    """One caller holds half of what may be in flight, however much it declares; another has the rest."""
    with held_by_slow_senders(429) as target:
        other = http.client.HTTPConnection(*target.address, timeout=60, source_address=("127.0.0.2", 0))
        other.request("POST", target.path, of_size(100_000), {"Content-Type": "application/json"})
        assert other.getresponse().status == 200
        other.close()


def test_a_slow_head_on_a_connection_that_was_used(target: Target) -> None:
    """The deadline is that of each head, and not of the connection."""
    with target.connect() as connection:
        connection.sendall(target.head(len(SMALL)) + SMALL)
        said = b""
        while not said.endswith(b"}"):
            said += connection.recv(65536)
        assert said.startswith(b"HTTP/1.1 200")
        connection.sendall(b"POST ")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")


def test_a_failure_at_one_connection_is_not_that_of_others() -> None:
    """It is closed and told to the log; the next that is too slow is still told so."""
    with running(script=Path(__file__).with_name("failing_server.py"), header_timeout=1) as server:
        target = Target(server.url, server.pid)
        with target.connect(timeout=10) as connection:
            connection.sendall(b"POST ")
            assert connection.recv(65536) == b""
        with target.connect(timeout=10) as connection:
            connection.sendall(b"POST ")
            assert connection.recv(65536).startswith(b"HTTP/1.1 408")
        assert "no space left on device" in server.log.read_text()


def test_a_body_that_keeps_up_is_read(target: Target) -> None:
    """What comes in pieces, with pauses, but fast enough on the whole, is answered."""
    body = SMALL.ljust(400_000)
    with target.connect() as connection:
        connection.sendall(target.head(len(body)))
        for start in range(0, len(body), 100_000):
            connection.sendall(body[start : start + 100_000])
            time.sleep(1)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def slow_readers(target: Target, count: int = 8, seconds: float = 6) -> dict[str, float]:
    """Clients that ask for a large answer and read none of it."""
    body = target.wrap(of_size(4_000_000))
    answer = len(target.ask(body).body)
    before = target.resident()
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.connect(target.address)
            connection.sendall(target.head(len(body)) + body)
        held = 0
        last = time.monotonic() + seconds * 5
        while target.sockets() and time.monotonic() < last:
            held = max(held, target.resident() - before)
            time.sleep(0.1)
        left = target.sockets()
    return {"answer MB": answer / 1e6, "held / answer": held / count / answer, "open": left}


def test_slow_readers(target: Target, tell: Tell) -> None:
    """They are cut off, and hold less than their answer meanwhile."""
    figures = slow_readers(target)
    tell("8 clients that do not read", figures)
    assert figures["open"] == 0
    assert figures["held / answer"] < 2
