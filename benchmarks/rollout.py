"""What clients notice while a command replaces the servers that they ask, as a rolling update does.

``rollout.py URL -- kubectl rollout restart deployment lossmeter`` sends small batches from a few threads of each kind
of client, runs the command after some seconds, goes on for ``--after`` seconds once it has ended, and prints for each
kind how many requests there were, which failed, how long they took, and the longest time without an answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

import numpy as np

from lossmeter.client import Client, LossmeterClientError

BEFORE: Final = 5.0
"""Seconds of load before the command begins."""

LOGITS: Final = np.random.default_rng(0).normal(size=(32, 10))
TARGETS: Final = np.arange(32) % 10
BODY: Final = json.dumps({"logits": LOGITS.tolist(), "targets": TARGETS.tolist()})
HEADERS: Final = {"Content-Type": "application/json", "Connection": "close"}


@dataclass
class Kind:
    """Some threads that ask alike.

    Attributes:
        name: what it is called in the table.
        threads: how many there are.
        pause: seconds between the requests of one, from shortest to longest.
        begin: makes what asks once, for one thread.
        took: seconds of each request that was answered.
        answered: when each was.
        failed: how often each failure was seen.
    """

    name: str
    threads: int
    pause: tuple[float, float]
    begin: Callable[[str], Callable[[], None]]
    took: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def run(self, url: str, is_over: threading.Event) -> None:
        """Ask again and again, until it is over."""
        ask = self.begin(url)
        while not is_over.wait(random.uniform(*self.pause)):  # noqa: S311 - no secret
            begun = time.monotonic()
            try:
                ask()
            except (OSError, http.client.HTTPException, LossmeterClientError) as error:
                self.failed[f"{type(error).__name__}: {error}"[:120]] += 1
            else:
                ended = time.monotonic()
                self.took.append(ended - begun)
                self.answered.append(ended)

    def row(self) -> str:
        """Its line of the table."""
        times = sorted(self.answered)
        gap = max((after - before for before, after in pairwise(times)), default=0.0)
        cuts = statistics.quantiles(self.took, n=100) if len(self.took) > 1 else [0.0] * 99
        milliseconds = [1000 * seconds for seconds in (cuts[49], cuts[98], max(self.took, default=0.0))]
        figures = "".join(f"{value:10.1f}" for value in milliseconds)
        return f"{self.name:32}{len(self.took):10}{self.failed.total():8}{figures}{gap:8.2f}"


def one_connection_each(url: str) -> Callable[[], None]:
    """A connection for each request, and no second try."""
    address = urlsplit(url).netloc

    def ask() -> None:
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request("POST", "/v1/score", BODY, HEADERS)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise OSError(response.status)

    return ask


def our_client(make: Callable[[str], Client]) -> Callable[[str], Callable[[], None]]:
    """Our own client, which keeps its connection."""

    def begin(url: str) -> Callable[[], None]:
        client = make(url)

        def ask() -> None:
            client.score(logits=LOGITS, targets=TARGETS)

        return ask

    return begin


def kinds() -> list[Kind]:
    """Who asks."""
    return [
        Kind("a connection each, no retry", 4, (0.02, 0.06), one_connection_each),
        Kind("Client(retries=0)", 4, (0.02, 0.06), our_client(partial(Client, retries=0))),
        Kind("Client(retries=0), mostly idle", 16, (0.5, 4.0), our_client(partial(Client, retries=0))),
        Kind("Client()", 4, (0.02, 0.06), our_client(Client)),
    ]


def main() -> None:
    """Send, run the command, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="where the servers are reached, such as http://127.0.0.1:30080")
    parser.add_argument("--after", type=float, default=10.0, help="seconds of load after the command")
    parser.add_argument("command", nargs="+", help="what replaces them")
    chosen = parser.parse_args()
    senders, is_over = kinds(), threading.Event()
    threads = [
        threading.Thread(target=kind.run, args=(chosen.url, is_over))
        for kind in senders
        for _ in range(kind.threads)
    ]
    for thread in threads:
        thread.start()
    with suppress(KeyboardInterrupt):
        time.sleep(BEFORE)
        begun = time.monotonic()
        code = subprocess.run(chosen.command, check=False).returncode
        print(f"the command took {time.monotonic() - begun:.1f} s and ended with {code}")
        time.sleep(chosen.after)
    is_over.set()
    for thread in threads:
        thread.join()
    print(f"{'':32}{'answered':>10}{'failed':>8}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'gap s':>8}")
    for kind in senders:
        print(kind.row())
        for what, count in kind.failed.most_common():
            print(f"    {count} times {what}")


if __name__ == "__main__":
    main()
