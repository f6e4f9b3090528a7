"""Memory is bounded by settings, whatever is sent, however much of it at once; and it goes back afterwards."""

from __future__ import annotations

import functools
import gzip
import http.client
import resource
import threading
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from lossmeter.wire.compression import compressor
from resilience.targets import Answer, Target, in_parallel, of_size, probe, status, weighing
from servers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resilience.conftest import Tell

MIB = 2**20


def one_large(target: Target, size: int = 50_000_000, **options: object) -> dict[str, float]:
    """What one large body of JSON needs, and what is kept of it."""
    target.ask(target.wrap(of_size(100_000)))
    body = target.wrap(of_size(size, **options))
    before = target.resident()
    with weighing(target).on() as weight:
        answer = target.ask(body)
    time.sleep(0.5)
    return {
        "growth / body": (weight.most - before) / len(body),
        "kept MB": (target.resident() - before) / 1e6,
        "status": answer.status,
        "seconds": answer.seconds,
    }


@pytest.mark.parametrize("include", [[], ["losses", "gradients"]], ids=["loss", "gradients"])
def test_one_large(include: list[str], tell: Tell) -> None:
    """A body of 50 MB needs less than four times that, and the memory goes back."""
    with running() as server:
        figures = one_large(Target(server.url, server.pid), include=include)
    tell(f"50 MB of JSON, {' and '.join(include) or 'loss'}", figures)
    assert figures["status"] == 200
    assert figures["growth / body"] < 4
    assert figures["kept MB"] < 50


def many_large(target: Target, count: int = 200, size: int = 4_000_000) -> dict[str, float]:
    """Many uploads at once: what they need together, and how they are answered."""
    body = target.wrap(of_size(size, include=[]))
    target.ask(body)
    before = target.resident()
    statuses: list[int] = []
    with weighing(target).on() as weight:
        in_parallel([lambda: statuses.append(target.ask(body).status)] * count)
    return {
        "MB sent at once": count * len(body) / 1e6,
        "growth MB": (weight.most - before) / 1e6,
        "served": statuses.count(200),
        "told to come again": statuses.count(503) + statuses.count(429),
        "failed": statuses.count(0),
    }


def test_many_large(tell: Tell) -> None:
    """The budget of bytes in flight holds, and whoever is not served is told; without it, it is four times as much."""
    with running(
        max_body_bytes=8 * MIB,
        max_bytes_in_flight=64 * MIB,
        max_bytes_per_caller=64 * MIB,
        max_requests_per_caller=200,
    ) as server:
        figures = many_large(Target(server.url, server.pid))
    tell("200 uploads at once, 64 MiB in flight", figures)
    assert figures["failed"] == 0
    assert figures["served"] > 0
    assert figures["told to come again"] > 0
    assert figures["growth MB"] < 2 * 64 * MIB / 1e6


def test_no_memory(tell: Tell) -> None:
    """Who asks for more than the machine has left is told to come again; others are served, and so is it later."""
    body, small = of_size(30_000_000, include=[]), of_size(2_000)
    answers: list[Answer] = []
    with running(threads=1) as server:
        target = Target(server.url, server.pid)
        assert target.ask(of_size(2_000_000)).status == 200
        # So little that the body cannot be held, and so much that it can, and what is computed cannot.
        for left in (20 * MIB, 40 * MIB):
            most = status(server.pid, "VmSize") + left
            resource.prlimit(server.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            answers += [target.ask(each) for each in (body, small) * 3]
        resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        assert target.ask(body).status == 200
    tell("20 and 40 MiB left, bodies of 30 MB", {"slowest s": max(answer.seconds for answer in answers)})
    assert [answer.status for answer in answers] == [503, 200] * 6
    assert {answer.headers.get("retry-after") for answer in answers[::2]} == {"1"}


def in_zstd(data: bytes) -> bytes:
    """Python has it from 3.14 on."""
    encoder = compressor("zstd")
    return encoder.feed(data) + encoder.finish()


BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": in_zstd,
}
TAKERS = ["/v1/score", "/v2/models/cross_entropy/infer"]


@pytest.fixture(scope="module")
def careful() -> Iterator[Target]:
    """A server that takes bodies of 16 MiB."""
    with running(max_body_bytes=16 * MIB) as server:
        started = Target(server.url, server.pid)
        probe(started)
        yield started


@functools.cache
def bomb(coding: str) -> bytes:
    """Zeros, and nothing but zeros."""
    return BOMBS[coding](b"\0" * (512 * MIB))


@pytest.mark.parametrize("coding", BOMBS)
@pytest.mark.parametrize("path", TAKERS)
def test_bombs(careful: Target, coding: str, path: str, tell: Tell) -> None:
    """Half a gigabyte of zeros is refused at the limit, and costs no more than that and a little."""
    target = Target(careful.url, careful.pid, path)
    body = bomb(coding)
    target.ask(body[:100], {"Content-Encoding": coding})
    before = target.resident()
    with weighing(target, 0.002).on() as weight:
        answer = target.ask(body, {"Content-Encoding": coding})
    figures = {
        "growth MiB": (weight.most - before) / MIB,
        "body kB": len(body) / 1e3,
        "seconds": answer.seconds,
    }
    tell(f"512 MiB of zeros in {coding} to {path}", figures)
    assert answer.status == 413
    assert figures["growth MiB"] < 32 + 16


def test_too_large_is_refused_before_it_is_sent(careful: Target) -> None:
    """Who asks first (Expect: 100-continue) and declares too much, or has no room, sends nothing."""
    with careful.connect() as connection:
        connection.sendall(careful.head(17 * MIB, Expect="100-continue"))
        said = connection.recv(65536)
    assert said.startswith(b"HTTP/1.1 413")


def test_growth(tell: Tell) -> None:
    """A few thousand requests of all kinds leave nothing behind that grows; ``make soak`` sends more."""
    with running(max_requests_per_caller=1000) as server:
        figures = soak(Target(server.url, server.pid), 8)
    tell("soak of 8 s", figures)
    assert figures["errors"] == 0
    assert figures["MiB per 10 000"] < 64


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_soak(tell: Tell) -> None:
    """Twenty minutes of it."""
    with running(max_requests_per_caller=1000) as server:
        figures = soak(Target(server.url, server.pid), 1200)
    tell("soak of 20 minutes", figures)
    assert figures["errors"] == 0
    assert figures["MiB per 10 000"] < 1


def soak(target: Target, seconds: float, clients: int = 4) -> dict[str, float]:
    """Good and bad requests, small and large, over and over: how fast memory grows over the second half."""
    kinds = [
        (target.wrap(of_size(2_000)), 200),
        (target.wrap(of_size(300_000)), 200),
        (target.wrap(b'{"logits":[[1],[1,2]],"targets":[0]}'), 4),
        (target.wrap(b'{"logits":'), 4),
        (target.wrap(of_size(30_000)), 200),
    ]
    done: list[float] = []
    errors: list[int] = []
    last = time.monotonic() + seconds

    def run() -> None:
        connection = http.client.HTTPConnection(*target.address, timeout=60)
        while time.monotonic() < last:
            for body, wanted in kinds:
                connection.request("POST", target.path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                if response.status != wanted and response.status // 100 != wanted:
                    errors.append(response.status)
                done.append(time.monotonic())
        connection.close()

    weights: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: in_parallel([run] * clients))
    thread.start()
    while thread.is_alive():
        weights.append((len(done), target.resident()))
        time.sleep(0.25)
    thread.join()
    half = weights[len(weights) // 2 :]
    first = sorted(weight for _, weight in half[: max(len(half) // 4, 1)])
    end = sorted(weight for _, weight in half[-max(len(half) // 4, 1) :])
    requests = max(half[-1][0] - half[0][0], 1)
    slope = (end[len(end) // 2] - first[len(first) // 2]) / MIB / (requests * 0.75) * 10_000
    return {"requests": len(done), "errors": len(errors), "MiB per 10 000": slope}
