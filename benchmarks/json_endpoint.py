"""Losses and gradients of JSON logits over HTTP, beside the same endpoint written the plain way.

"plain" returns a dict, "typed" declares its answer as a Pydantic model, too; both are rivals/plain.py.

Each server is a process of its own with one worker. This process asks them over a socket, in turns, one request at
a time. Memory is Linux's own count of a server's largest resident set, begun anew before each request.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

import numpy as np

from load.process import forget_peak, processor_seconds, resident
from load.servers import LOSSMETER, PLAIN, running

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = 300


@dataclass
class Measured:
    """What was measured on one server.

    Attributes:
        address: host and port.
        process: the server's id.
        resting: resident bytes once it has answered a first, small request.
        seconds: of each request, from the first byte sent to the last byte of the answer.
        processor: seconds of processor time that the server took for all of them.
        peak: most resident bytes during any request.
        answer: the last answer.
    """

    address: tuple[str, int]
    process: int
    resting: int = 0
    seconds: list[float] = field(default_factory=list)
    processor: float = 0
    peak: int = 0
    answer: bytes = b""


def main() -> None:
    """Start both servers, ask them in turns, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7, help="how often each is asked (default: 7)")
    arguments = parser.parse_args()
    body = make_request(arguments.rows, arguments.classes)
    with ExitStack() as stack:
        servers = {each.name: Measured(*stack.enter_context(running(each))) for each in (LOSSMETER, *PLAIN)}
        for server in servers.values():
            warm_up(server)
        for server in arguments.repeats * [*servers.values()]:
            measure(server, body)
    check_same(*servers.values())
    print(f"{arguments.rows} × {arguments.classes} logits, {len(body) / 1e6:.1f} MB of JSON", end="; ")
    print(f"{arguments.repeats} requests to each, {os.cpu_count()} cores\n")
    report(servers, len(body))


def make_request(rows: int, classes: int) -> bytes:
    """Logits with all the digits that a model's have."""
    random = np.random.default_rng(0)
    logits = 3 * random.standard_normal((rows, classes))
    targets = random.integers(classes, size=rows)
    document = {
        "include": ["losses", "gradients"],
        "targets": targets.tolist(),
        "logits": logits.tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def warm_up(server: Measured) -> None:
    """Let a server import all that it will need."""
    ask(server.address, make_request(2, 2))
    server.resting = resident(server.process, "VmRSS")


def measure(server: Measured, body: bytes) -> None:
    """Ask a server once."""
    forget_peak(server.process)
    processor, started = processor_seconds(server.process), time.perf_counter()
    server.answer = ask(server.address, body)
    server.seconds.append(time.perf_counter() - started)
    server.processor += processor_seconds(server.process) - processor
    server.peak = max(server.peak, resident(server.process, "VmHWM"))


def ask(address: tuple[str, int], body: bytes) -> bytes:
    """One request, and its answer as it comes; on a connection of its own, as servers drop idle ones."""
    connection = HTTPConnection(*address, timeout=TIMEOUT)
    connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer[:400]!r}")
    return answer


def check_same(first: Measured, *others: Measured) -> None:
    """Refuse to compare different work."""
    ours = json.loads(first.answer)
    for other in others:
        theirs = json.loads(other.answer)
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-12)
        for name in ("losses", "gradients"):
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-18)


def report(servers: Mapping[str, Measured], size: int) -> None:
    """The table: times, and memory as multiples of the body."""
    row = "{:<10} {:>9} {:>6} {:>9} {:>9} {:>9} {:>8} {:>10} {:>12}"
    print(row.format("", "median", "times", "slowest", "CPU", "at rest", "peak", "peak/body", "growth/body"))
    fastest = statistics.median(servers["lossmeter"].seconds)
    for name, server in servers.items():
        median = statistics.median(server.seconds)
        cpu = server.processor / len(server.seconds)
        seconds = [f"{each:.3f} s" for each in (median, max(server.seconds), cpu)]
        memory = [f"{each / 1e6:.0f} MB" for each in (server.resting, server.peak)]
        ratios = [f"{each / size:.2f}" for each in (server.peak, server.peak - server.resting)]
        print(row.format(name, seconds[0], f"{median / fastest:.1f}", *seconds[1:], *memory, *ratios))


if __name__ == "__main__":
    main()
