"""Every metric that adds up, over HTTP, beside the loss alone: /v1/metrics and /v1/score, in turns.

One server with one worker is asked with the same logits; only the questions differ. A ratio divides the fastest of all
repeats by that of /v1/score with the loss alone (`"include": []`). Most of either is the reading of JSON; what the
engine takes by itself is in benchmarks/state.py.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from http.client import HTTPConnection
from typing import Any, Final

import numpy as np

from load.servers import LOSSMETER, running
from lossmeter.engine import METRICS

ADDITIVE: Final = [name for name, metric in METRICS.items() if metric.additive]

QUESTIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "loss": ("/v1/score", {"include": []}),
    "loss, losses, KL": ("/v1/score", {"include": ["losses", "kl"]}),
    "loss, gradients": ("/v1/score", {"include": ["gradients"]}),
    "metrics without AUC": ("/v1/metrics", {"metrics": ADDITIVE}),
    "the same, and a state": ("/v1/metrics", {"metrics": ADDITIVE, "include": ["state"]}),
    "every metric": ("/v1/metrics", {}),
}
SHAPES: Final = ((100_000, 2), (100_000, 10), (20_000, 100))
TIMEOUT: Final = 300


def main() -> None:
    """Ask one server in turns and print the ratios for every shape."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, help="in place of those of each shape")
    parser.add_argument("--repeats", type=int, default=9, help="how often each is asked (default: 9)")
    arguments = parser.parse_args()
    with running(LOSSMETER) as (address, _):
        for rows, classes in SHAPES:
            report(address, arguments.rows or rows, classes, arguments.repeats)


def report(address: tuple[str, int], rows: int, classes: int, repeats: int) -> None:
    """A table for one shape; every question is asked once to warm up, then all in turns."""
    batch = make_batch(rows, classes)
    bodies = {name: json.dumps(batch | asked).encode() for name, (_, asked) in QUESTIONS.items()}
    fastest = dict.fromkeys(bodies, math.inf)
    for turn in range(1 + repeats):
        for name, body in bodies.items():
            seconds = ask(address, QUESTIONS[name][0], body)
            fastest[name] = min(fastest[name], seconds) if turn else math.inf
    print(f"\n{rows} × {classes} logits, {len(bodies['loss']) / 1e6:.1f} MB of JSON")
    for name, seconds in fastest.items():
        print(f"{name:<22} {seconds * 1e3:>8.1f} ms {seconds / fastest['loss']:>6.2f}")


def make_batch(rows: int, classes: int) -> dict[str, Any]:
    """Logits with all the digits that a model's have, of a model that is right more often than not."""
    random = np.random.default_rng(0)
    targets = random.integers(classes, size=rows)
    logits = 2 * random.standard_normal((rows, classes))
    logits[np.arange(rows), targets] += 3
    return {"targets": targets.tolist(), "logits": logits.tolist()}


def ask(address: tuple[str, int], path: str, body: bytes) -> float:
    """Seconds from the first byte sent to the last byte of the answer."""
    connection = HTTPConnection(*address, timeout=TIMEOUT)
    connection.connect()
    started = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - started
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer[:400]!r}")
    return seconds


if __name__ == "__main__":
    main()
