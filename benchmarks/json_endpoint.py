"""Losses and gradients of JSON logits over HTTP, beside the same endpoint written the plain way.

Each server is a process of its own with one worker, asked by this process over a socket, one request after the
other. Memory is Linux's own count of the server's highest resident set, begun anew before each request.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVERS: Final = {
    "lossmeter": ("-m", "lossmeter", "serve", "--port", "0", "--workers", "1"),
    "plain": (str(Path(__file__).with_name("rivals") / "plain.py"),),
}
WARM_UPS: Final = 2
TIMEOUT: Final = 300


@dataclass(frozen=True)
class Measured:
    """What was measured on one server.

    Attributes:
        seconds: the median time from the first byte sent to the last byte of the answer.
        slowest: the longest of these times.
        resting: resident bytes before the first request.
        peak: most resident bytes during any request.
        answer: the answer.
    """

    seconds: float
    slowest: float
    resting: int
    peak: int
    answer: dict[str, Any]


def main() -> None:
    """Measure one server after the other and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=9, help="how often each is asked (default: 9)")
    arguments = parser.parse_args()
    body = make_request(arguments.rows, arguments.classes)
    results = {name: measure(command, body, arguments.repeats) for name, command in SERVERS.items()}
    check_same(*(result.answer for result in results.values()))
    print(f"{arguments.rows} × {arguments.classes} logits, {len(body) / 1e6:.1f} MB of JSON", end="; ")
    print(f"{arguments.repeats} requests to each, {os.cpu_count()} cores\n")
    report(results, len(body))


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


def measure(command: tuple[str, ...], body: bytes, repeats: int) -> Measured:
    """Start a server, ask it that often, and stop it."""
    with running(command) as (process, connection):
        seconds, peaks = [], []
        resting = resident(process, "VmRSS")
        for _ in range(WARM_UPS + repeats):
            forget_peak(process)
            started = time.perf_counter()
            answer = ask(connection, body)
            seconds.append(time.perf_counter() - started)
            peaks.append(resident(process, "VmHWM"))
        timed = seconds[WARM_UPS:]
        return Measured(statistics.median(timed), max(timed), resting, max(peaks), json.loads(answer))


@contextmanager
def running(command: tuple[str, ...]) -> Iterator[tuple[int, HTTPConnection]]:
    """A server's process and a connection to it; its first line of output says where it listens."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOSSMETER_")}
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            address = re.search(r"http://([\w.]+):(\d+)", said)
            if not address:
                raise SystemExit(f"{' '.join(command)} did not start: {said!r}")
            yield process.pid, HTTPConnection(address[1], int(address[2]), timeout=TIMEOUT)
        finally:
            process.terminate()


def ask(connection: HTTPConnection, body: bytes) -> bytes:
    """One request, and its answer as it comes."""
    connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer[:400]!r}")
    return answer


def resident(process: int, name: str) -> int:
    """A line of Linux's account of a process, in bytes: VmRSS is now, VmHWM the most; 0 elsewhere."""
    status = Path(f"/proc/{process}/status")
    found = re.search(rf"{name}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def forget_peak(process: int) -> None:
    """Let VmHWM begin anew: see proc_pid_clear_refs(5)."""
    clear = Path(f"/proc/{process}/clear_refs")
    if clear.exists():
        clear.write_text("5")


def check_same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Refuse to compare different work."""
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-12)
    for name in ("losses", "gradients"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-18)


def report(results: Mapping[str, Measured], size: int) -> None:
    """The table: times, and memory as multiples of the body."""
    row = "{:<10} {:>9} {:>9} {:>9} {:>12} {:>12} {:>12}"
    print(row.format("", "median", "slowest", "at rest", "peak", "growth/body", "peak/body"))
    for name, result in results.items():
        growth = result.peak - result.resting
        seconds = (f"{each:.3f} s" for each in (result.seconds, result.slowest))
        bytes_ = (f"{each / 1e6:.0f} MB" for each in (result.resting, result.peak))
        ratios = (f"{each / size:.2f}" for each in (growth, result.peak))
        print(row.format(name, *seconds, *bytes_, *ratios))
    ratio = results["plain"].seconds / results["lossmeter"].seconds
    print(f"\nlossmeter is {ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
