"""More is asked than can be done: what can be done is done, and the rest is refused at once."""

from __future__ import annotations

import multiprocessing
import os
import re
import selectors
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resilience.targets import Answer, Target, in_parallel, of_size, probe, probing
from servers import running

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from resilience.conftest import Tell

DEADLINE = 5.0
"""Seconds after which a client gives up."""


Seen = tuple[int, float, float]
"""The status of an answer, 0 if there was none in time; how many seconds it took, and after how many it was there."""


class Asked:
    """One request on its way."""

    def __init__(self, address: tuple[str, int], sent: bytes) -> None:
        self.started = time.perf_counter()
        self.connection = socket.socket()
        self.connection.settimeout(0)
        self.connection.connect_ex(address)
        self._left = memoryview(sent)
        self._said = b""

    @property
    def is_sending(self) -> bool:
        """Whether it has not sent all yet."""
        return bool(self._left)

    @property
    def age(self) -> float:
        """Seconds since it was asked."""
        return time.perf_counter() - self.started

    def goes_on(self, *, can_write: bool) -> int | None:
        """Sends and receives what it can; the status once the answer is there, 0 if it never will be."""
        try:
            if can_write and self._left:
                self._left = self._left[self.connection.send(self._left) :]
            self._said += (said := self.connection.recv(65536))
        except BlockingIOError:
            return None
        except OSError:
            return 0
        whole = re.match(
            rb"HTTP/1.1 (\d+)[^\0]*?\r\ncontent-length: (\d+)[^\0]*?\r\n\r\n", self._said, re.IGNORECASE
        )
        if whole and len(self._said) >= whole.end() + int(whole[2]):
            return int(whole[1])
        return None if said else 0


class Generator:
    """Asks from one thread, as cheaply as Python can: the sender must not be what is measured."""

    def __init__(self, address: tuple[str, int], sent: bytes) -> None:
        self.seen: list[Seen] = []
        self._begun = 0.0
        self._address = address
        self._sent = sent
        self._selector = selectors.DefaultSelector()
        self._asked: dict[socket.socket, Asked] = {}

    def run(self, seconds: float, rate: float, clients: int = 4) -> list[Seen]:
        """Requests at a rate, whether those before are answered or not; without a rate, of a few steady clients."""
        begun = self._begun = time.perf_counter()
        count = 0
        while (now := time.perf_counter() - begun) < seconds or self._asked:
            wanted = count + clients - len(self._asked) if not rate else int(now * rate)
            while now < seconds and count < wanted:
                self._ask()
                count += 1
            self._go_on()
        return self.seen

    def _ask(self) -> None:
        asked = Asked(self._address, self._sent)
        self._asked[asked.connection] = asked
        self._selector.register(asked.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, asked)

    def _go_on(self) -> None:
        for key, events in self._selector.select(0.002):
            asked: Asked = key.data
            code = asked.goes_on(can_write=bool(events & selectors.EVENT_WRITE))
            if code is not None:
                self._end(asked, code)
            elif not asked.is_sending and events & selectors.EVENT_WRITE:
                self._selector.modify(asked.connection, selectors.EVENT_READ, asked)
        while self._asked and (oldest := next(iter(self._asked.values()))).age > DEADLINE:
            self._end(oldest, 0)

    def _end(self, asked: Asked, code: int) -> None:
        self.seen.append((code, asked.age, time.perf_counter() - self._begun))
        self._selector.unregister(asked.connection)
        del self._asked[asked.connection]
        asked.connection.close()


def generate(pipe: Connection, address: tuple[str, int], sent: bytes, seconds: float, rate: float) -> None:
    """One generator of load, in a process and on a core of its own."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    pipe.send(Generator(address, sent).run(seconds, rate))


def load(target: Target, sent: bytes, seconds: float, rate: float = 0.0) -> list[Seen]:
    """What such a generator sees."""
    here, there = multiprocessing.Pipe()
    arguments = (there, target.address, sent, seconds, rate)
    process = multiprocessing.get_context("spawn").Process(target=generate, args=arguments)
    process.start()
    found: list[Seen] = here.recv()
    process.join()
    return found


def pin(target: Target) -> None:
    """Leaves the last core to the generator."""
    cores = sorted(os.sched_getaffinity(0))
    for pid in target.processes():
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores[:-1] or cores)


def overload(target: Target, times: float, seconds: float = 5) -> dict[str, float]:
    """Goodput under so many times the capacity, beside it; how fast refusals come, and how long the served wait."""
    body = target.wrap(of_size(1_000_000, include=[]))
    sent = target.head(len(body), Connection="close") + body
    pin(target)
    load(target, sent, 1)
    calm = load(target, sent, seconds)
    capacity = sum(code == 200 for code, _, _ in calm) / seconds
    with probing(target, 0.05).on() as probes:
        seen = load(target, sent, seconds, capacity * times)
    served = [taken for code, taken, _ in seen if code == 200]
    refused = [taken for code, taken, _ in seen if code in {429, 503}]
    return {
        "capacity 1/s": capacity,
        # Those that are answered later, when nothing more is asked, are none of it.
        "goodput": sum(code == 200 and at < seconds for code, _, at in seen) / seconds / max(capacity, 1e-9),
        "served p99 s": float(np.percentile(served or [0], 99)),
        "refused": len(refused),
        "refusal p50 s": float(np.median(refused or [0])),
        "failed": sum(code == 0 for code, _, _ in seen),
        "probe p99 s": probes.p99,
    }


@pytest.mark.parametrize(
    ("times", "seconds"),
    [(5, 4), *(pytest.param(times, 20, marks=pytest.mark.long) for times in (2, 5, 10))],
)
def test_overload(times: float, seconds: float, tell: Tell) -> None:
    """Work goes on, and probes are answered; how much of the capacity is left is told."""
    with running(log_level="warning") as server:
        target = Target(server.url, server.pid)
        probe(target)
        figures = overload(target, times, seconds)
    tell(f"{times} times overload with 1 MB of JSON", figures)
    assert figures["goodput"] > 0.1
    assert figures["refused"] > 0


def test_a_full_queue(tell: Tell) -> None:
    """Where hardly a request may wait, some are told to come again, at once, and the others are answered."""
    body = of_size(8_000_000)
    answers: list[Answer] = []
    with running(max_queue=1, max_queue_seconds=60) as server:
        target = Target(server.url, server.pid)
        in_parallel([lambda: answers.append(target.ask(body))] * 12)
    refused = [answer for answer in answers if answer.status == 503]
    tell("12 requests, a queue for 1", {"refused": len(refused)})
    assert {answer.status for answer in answers} == {200, 503}
    for answer in refused:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["title"] == "Service Unavailable"
