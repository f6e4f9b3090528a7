"""Requests per second over HTTP: lossmeter beside other servers, with the same mathematics, from their own packages.

Every server is one process of its package (``rivals/on_*.py``), in an environment of its own below build/rivals with
what ``rivals/requirements-*.txt`` names, with its own JSON and without an access log. One runs at a time, and all are
asked by the same client (``load/client.py``) for per-row losses and gradients of the same float64 logits. The first
answer is compared with the engine's; a server that cannot be installed, started or asked is named with the reason.

The best of the rounds counts. Times are from the first byte sent to the last byte received; CPU is the processor time
of the server's processes for a request of one of 16 callers, which a busy machine changes least.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from load import client, floors, servers
from load.client import FailedError, Timed
from load.forms import Batch
from load.process import processor_seconds
from load.servers import BARE, LOSSMETER, PEERS, PLAIN, Door, Running, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERYONE: Final = (LOSSMETER, BARE, *PLAIN, *PEERS)
SHAPES: Final = ((1, 5), (32, 10), (1000, 100))
CONCURRENCIES: Final = (1, 16)
SLOW: Final = 1.0
"""Seconds of an answer that is not asked for again in the second round."""


@dataclass(frozen=True)
class Case:
    """What is asked of a door: how many rows and classes, over how many connections."""

    rows: int
    classes: int
    connections: int


@dataclass
class Results:
    """What was measured.

    Attributes:
        timed: by title of a door and case, of each round.
        failed: why there is nothing, by title.
        memory: of lossmeter, by title: bytes it grew by, bytes of the body and of the answer.
    """

    timed: dict[tuple[str, Case], list[Timed]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    memory: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def is_slow(self, title: str, case: Case) -> bool:
        """Whether it is known, and takes long."""
        return (title, case) in self.timed and self.fastest(title, case) > SLOW

    def rate(self, title: str, case: Case) -> float:
        """Requests per second."""
        return max((timed.rate for timed in self.timed.get((title, case), ())), default=0.0)

    def quantile(self, title: str, case: Case, share: float) -> float:
        """Seconds that this share of the requests kept to."""
        return min(timed.quantile(share) for timed in self.timed[title, case])

    def processor(self, title: str, case: Case) -> float:
        """Seconds of processor time for a request."""
        return min((timed.processor for timed in self.timed.get((title, case), ())), default=0.0)

    def fastest(self, title: str, case: Case) -> float:
        """Seconds of the fastest request."""
        return min(timed.seconds[0] for timed in self.timed[title, case])


def main() -> None:
    """Measure everyone, and print the two tables in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="one short round, the large batch a tenth as large"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=" ".join(server.name for server in EVERYONE)
    )
    arguments = parser.parse_args()
    large = Case(2_000 if arguments.quick else 20_000, 100, 1)
    cases = [Case(*shape, connections) for shape in SHAPES for connections in CONCURRENCIES] + [large]
    results = Results()
    for _ in range(1 if arguments.quick else 2):
        for server in EVERYONE:
            if not arguments.only or server.name in arguments.only:
                measure(server, cases, 0.2 if arguments.quick else 0.8, results)
    print_servers(results, cases)
    print_targets(results, large)


def measure(server: Server, cases: list[Case], seconds: float, results: Results) -> None:
    """One round of one server."""
    print(f"measuring {server.name}", file=sys.stderr)
    try:
        with servers.running(server) as process:
            for door in server.doors:
                try:
                    measure_door(process, door, cases, seconds, results)
                except (FailedError, ValueError) as error:
                    results.failed[door.title] = str(error)
    except FailedError as error:
        results.failed |= {door.title: str(error) for door in server.doors}


def measure_door(process: Running, door: Door, cases: list[Case], seconds: float, results: Results) -> None:
    """One round of one door."""
    for case in cases:
        if not results.is_slow(door.title, case):
            timed = measure_case(process, door, case, seconds)
            results.timed.setdefault((door.title, case), []).append(timed)
    if door in LOSSMETER.doors[:2]:
        results.memory[door.title] = memory(process, door, cases[-1])


def measure_case(process: Running, door: Door, case: Case, seconds: float) -> Timed:
    """The answers to one question, the first of which is looked at and not timed."""
    batch = Batch.of(case.rows, case.classes)
    request = door.form.request(process.address, door.path, batch)
    door.form.check(client.ask(process.address, request), batch)
    before = processor_seconds(process.pid)
    timed = client.load(process.address, request, case.connections, seconds)
    taken = processor_seconds(process.pid) - before
    return replace(timed, processor=taken / len(timed.seconds))


def memory(process: Running, door: Door, case: Case) -> tuple[int, int, int]:
    """Bytes by which lossmeter grew, of the body, and of the answer."""
    request = door.form.request(process.address, door.path, Batch.of(case.rows, case.classes))
    grown, answer = floors.memory(process, request)
    return grown, len(request), answer


def print_servers(results: Results, cases: list[Case]) -> None:
    """A line for every door: requests per second and p50 / p99 in milliseconds, rows per second at the end."""
    *small, large = cases
    heads = ["one process, losses and gradients"]
    for rows, classes in SHAPES:
        heads += [f"{rows} × {classes}: requests/s", "p50 / p99 ms, 1 caller", "16 callers", "CPU ms"]
    heads.append(f"{large.rows} × {large.classes}: rows/s")
    print_table(
        heads, (line(results, door.title, small, large) for server in EVERYONE for door in server.doors)
    )
    for title, reason in results.failed.items():
        print(f"\nNot all of {title} is there, for it {reason}")


def line(results: Results, title: str, small: list[Case], large: Case) -> list[str]:
    """The cells of one door; a dash for what was not measured."""
    cells = [title]
    for case in small:
        known = (title, case) in results.timed
        if case.connections == CONCURRENCIES[0]:
            most = Case(case.rows, case.classes, CONCURRENCIES[-1])
            cells.append(number(results.rate(title, most)))
        times = (
            [number(1e3 * results.quantile(title, case, share)) for share in (0.5, 0.99)] if known else "––"
        )
        cells.append(" / ".join(times))
        if case.connections == CONCURRENCIES[-1]:
            cells.append(number(1e3 * results.processor(title, case)))
    seconds = results.quantile(title, large, 0.5) if (title, large) in results.timed else float("inf")
    return [*cells, number(large.rows / seconds)]


def print_targets(results: Results, large: Case) -> None:
    """How many times as fast as others, and how far from what cannot be undercut."""
    json, npz = LOSSMETER.doors[0].title, LOSSMETER.doors[1].title
    peers = [door.title for server in PEERS for door in server.doors]
    plain = [server.doors[0].title for server in PLAIN]
    lines = []

    def times(what: str, ours: str, theirs: list[str], case: Case, wanted: str) -> None:
        rates = {title: results.rate(title, case) for title in theirs if results.rate(title, case)}
        if rates and results.rate(ours, case):
            best = max(rates, key=lambda title: rates[title])
            ratio = results.rate(ours, case) / rates[best]
            lines.append([what, f"{ours} / {best}", number(ratio), wanted])
            spent = results.processor(best, case) / results.processor(ours, case)
            lines.append([what.replace("s/s", "s per second of CPU"), f"{ours} / {best}", number(spent), ""])

    for (rows, classes), wanted in zip(SHAPES, ("≥ 2", "> 1", "≥ 10"), strict=True):
        case = Case(rows, classes, CONCURRENCIES[-1])
        times(f"requests/s, {rows} × {classes}", json, peers, case, wanted)
        times(f"requests/s, {rows} × {classes}", json, plain, case, "≥ 1")
    times(f"rows/s, {large.rows} × {large.classes}", json, peers, large, "> 1")
    times(f"rows/s, {large.rows} × {large.classes}", npz, peers, large, "> 1")
    times(f"rows/s, {large.rows} × {large.classes}", npz, plain[:1], large, "≥ 100")
    lines += against_floors(results, large)
    print()
    print_table(["what", "of", "ratio", "to reach"], lines)
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}")


def against_floors(results: Results, large: Case) -> Iterable[list[str]]:
    """The fastest requests beside what no server could leave out, and memory beside the bytes that travel."""
    json, npz = LOSSMETER.doors[:2]
    bare = BARE.doors[1].title
    for case in (Case(*SHAPES[-1], 1), large):
        what = f"time, {case.rows} × {case.classes}"
        if (json.title, case) in results.timed:
            floor = floors.parse_and_encode(json.form, Batch.of(case.rows, case.classes), 7)
            ratio = results.fastest(json.title, case) / floor
            yield [what, f"{json.title} / parser and encoder in process", number(ratio), "≤ 1.4"]
        if (npz.title, case) in results.timed and (bare, case) in results.timed:
            ratio = results.fastest(npz.title, case) / results.fastest(bare, case)
            yield [what, f"{npz.title} / {bare}", number(ratio), "≤ 2"]
    for title, (grown, body, answer) in results.memory.items():
        if title == json.title:
            yield ["memory, large batch", f"{title} / body", f"{grown / body:.2f}", "≤ 4"]
        else:
            yield [
                "memory, large batch",
                f"{title} / body and answer",
                f"{grown / (body + answer):.2f}",
                "≤ 2",
            ]


def number(value: float) -> str:
    """Three digits, thousands apart; a dash for none."""
    if not value:
        return "–"
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}".replace(",", " ")
    return f"{value:.3g}"


def print_table(heads: list[str], lines: Iterable[list[str]]) -> None:
    """Markdown."""
    for cells in (heads, ["---", *["--:"] * (len(heads) - 1)], *lines):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
