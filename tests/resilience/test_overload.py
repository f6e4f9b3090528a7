"""More is asked than can be done: what can be done is done, and the rest is refused at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resilience.targets import Answer, Target, in_parallel, of_size, probe, probing
from servers import running

if TYPE_CHECKING:
    from resilience.conftest import Tell

DEADLINE = 5.0
"""Seconds after which a client gives up."""


async def ask(address: tuple[str, int], sent: bytes) -> tuple[int, float, float]:
    """The status of an answer, when it was asked, and how long it took; 0 if there was none in time."""
    started = time.perf_counter()
    code = 0
    try:
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(*address)
            try:
                code = await _answer(reader, writer, sent)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    return code, started, time.perf_counter() - started


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> int:
    """Sends until it is answered, as HTTP's clients do, and reads the answer."""
    head = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    try:
        for start in range(0, len(sent), 1 << 17):
            if head.done():
                break
            writer.write(sent[start : start + (1 << 17)])
            await writer.drain()
        said = await head
    finally:
        head.cancel()
    length = re.search(rb"(?i)content-length: (\d+)", said)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(said.split(b" ", 2)[1])


async def closed_loop(
    address: tuple[str, int], sent: bytes, seconds: float, clients: int
) -> list[tuple[int, float, float]]:
    """Clients that ask again as soon as they are answered."""
    last = time.perf_counter() + seconds
    found = []

    async def run() -> None:
        while time.perf_counter() < last:
            found.append(await ask(address, sent))

    await asyncio.gather(*(run() for _ in range(clients)))
    return found


async def open_loop(
    address: tuple[str, int], sent: bytes, seconds: float, rate: float
) -> list[tuple[int, float, float]]:
    """Clients that come at a rate, whether those before them are answered or not."""
    tasks: list[asyncio.Task[tuple[int, float, float]]] = []
    started = time.perf_counter()
    while (now := time.perf_counter()) < started + seconds:
        if len(tasks) < (now - started) * rate:
            tasks.append(asyncio.create_task(ask(address, sent)))
        else:
            await asyncio.sleep(0.001)
    return list(await asyncio.gather(*tasks))


def generate(pipe: object, address: tuple[str, int], sent: bytes, seconds: float, rate: float) -> None:
    """One generator of load, in a process and on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    loop = open_loop(address, sent, seconds, rate) if rate else closed_loop(address, sent, seconds, 4)
    pipe.send(asyncio.run(loop))  # type: ignore[attr-defined]  # typeshed names its class after the system


def load(target: Target, sent: bytes, seconds: float, rate: float = 0.0) -> list[tuple[int, float, float]]:
    """What such a generator sees."""
    here, there = multiprocessing.Pipe()
    arguments = (there, target.address, sent, seconds, rate)
    process = multiprocessing.get_context("spawn").Process(target=generate, args=arguments)
    process.start()
    found: list[tuple[int, float, float]] = here.recv()
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
    capacity = sum(code == 200 for code, *_ in calm) / seconds
    with probing(target, 0.05).on() as probes:
        seen = load(target, sent, seconds, capacity * times)
    served = [taken for code, _, taken in seen if code == 200]
    refused = [taken for code, _, taken in seen if code in {429, 503}]
    return {
        "capacity 1/s": capacity,
        "goodput": len(served) / seconds / max(capacity, 1e-9),
        "served p99 s": float(np.percentile(served or [0], 99)),
        "refused": len(refused),
        "refusal p50 s": float(np.median(refused or [0])),
        "failed": sum(code == 0 for code, *_ in seen),
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
    with running(max_queue=1, max_queue_seconds=0.001) as server:
        target = Target(server.url, server.pid)
        in_parallel([lambda: answers.append(target.ask(body))] * 12)
    refused = [answer for answer in answers if answer.status == 503]
    tell("12 requests, a queue for 1", {"refused": len(refused)})
    assert {answer.status for answer in answers} == {200, 503}
    for answer in refused:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["title"] == "Service Unavailable"
