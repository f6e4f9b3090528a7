"""States: what seeing costs beside scoring, how fast ten thousand of them merge, and how large they are.

    python benchmarks/state.py [--quick] [--rounds N]

Times are of the processor, one thread, the best of N rounds in which all took turns. ``scored`` is score() with losses
and KL and without gradients; ``seen`` is what every additive metric needs; ``state`` adds moments and quantiles. With
the extra ``fused`` the lines come twice: by NumPy alone, and by compiled loops. Over HTTP, in wall time, it is
/v1/metrics with the metrics that add up beside /v1/score without gradients; there at most 1.5 is promised.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import numpy as np

from load.servers import LOSSMETER, running
from lossmeter.engine import METRICS, State, make_loss, merge, score
from lossmeter.engine.fused import kernels, use_kernels
from lossmeter.engine.observation import Wanted, observe
from lossmeter.engine.options import Options
from lossmeter.engine.preparation import Sent
from lossmeter.wire.json_encode import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SHAPES = [(100_000, 100), (1_000_000, 10)]
MERGED, DIFFERENT, SLICES = 10_000, 100, 50
RNG = np.random.default_rng(2026)


def best(
    jobs: list[Callable[[], object]], rounds: int, clock: Callable[[], float] = time.thread_time
) -> list[float]:
    """The shortest time of each job, in milliseconds."""
    shortest = [float("inf")] * len(jobs)
    for _ in range(rounds):
        for at, job in enumerate(jobs):
            began = clock()
            job()
            shortest[at] = min(shortest[at], 1000 * (clock() - began))
    return shortest


def batch(n: int, classes: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Logits of a classifier that is mostly right, and the truth."""
    targets = RNG.integers(0, classes, n)
    logits = RNG.normal(size=(n, classes)) * 2
    logits[np.arange(n), targets] += 5
    return logits, targets


def seen(n: int, classes: int, rounds: int) -> None:
    """A line of what seeing costs."""
    logits, targets = batch(n, classes)
    sent = Sent("logits", logits, targets, None, None, None)

    def watched(*, state: bool) -> object:
        return observe(sent, make_loss("cross_entropy"), Options(include=()), Wanted(state=state), 1)

    scored, evidence, state = best(
        [
            lambda: score(logits=logits, targets=targets, include=["losses", "kl"], threads=1),
            lambda: watched(state=False),
            lambda: watched(state=True),
        ],
        rounds,
    )
    how = "loops" if kernels() else "NumPy"
    print(
        f"{n:>9} x {classes:<4} {how:6} scored {scored:7.1f}   seen {evidence:7.1f}  ratio {evidence / scored:4.2f}"
        f"   state {state:7.1f}  ratio {state / scored:4.2f}"
    )


def state_of(n: int, classes: int, **said: Any) -> State:  # noqa: ANN401  those of score
    """The state of a batch."""
    logits, targets = batch(n, classes)
    state = score(logits=logits, targets=targets, include=["state"], **said).state
    assert state is not None
    return state


def sliced(n: int) -> State:
    """The state of a shard of 100 classes and 50 slices."""
    return state_of(n, 100, slices={"region": [f"region {place}" for place in RNG.integers(0, SLICES, n)]})


def merged(n: int, rounds: int) -> None:
    """A line of merging the states of shards of n rows; each of 100 different ones comes 100 times."""
    states = [sliced(n) for _ in range(DIFFERENT)] * (MERGED // DIFFERENT)
    (took,) = best([lambda: merge(states)], rounds)
    print(f"merge {MERGED} states of {n} rows, 100 classes, {SLICES} slices: {took / 1000:.2f} s")


def sizes() -> None:
    """A line for each kind of state."""
    kinds = {
        "10 000 x 3": state_of(10_000, 3),
        "10 000 x 10": state_of(10_000, 10),
        "10 000 x 10, weights": state_of(10_000, 10, sample_weights=RNG.random(10_000)),
        "10 000 x 100": state_of(10_000, 100),
        "2 000 x 100, 50 slices": sliced(2000),
        "500 x 50 257": state_of(500, 50_257),
    }
    for name, state in kinds.items():
        print(
            f"{name:24} JSON {len(encode(state.document())) / 1000:8.1f} kB   packed {len(state.pack()) / 1000:8.1f} kB"
        )


def asked(rounds: int, *, quick: bool) -> None:
    """Lines of what the two endpoints take."""
    additive = [name for name, metric in METRICS.items() if metric.additive]
    with running(LOSSMETER) as ((host, port), _):
        connection = HTTPConnection(host, port, timeout=120)

        def post(path: str, body: bytes) -> None:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.read(), answer.status)[1] == 200, path

        for n, classes in ((20_000, 100), (200_000, 10)):
            rows = n // 10 if quick else n
            logits, targets = batch(rows, classes)
            said = {"logits": logits.tolist(), "targets": targets.tolist()}
            scored, measured = (
                json.dumps(said | more).encode()
                for more in ({"include": ["losses", "kl"]}, {"metrics": additive})
            )
            jobs: list[Callable[[], object]] = [
                partial(post, "/v1/score", scored),
                partial(post, "/v1/metrics", measured),
            ]
            shortest = best(jobs, rounds, time.perf_counter)
            print(f"{rows:>9} x {classes:<4} over HTTP: metrics / score {shortest[1] / shortest[0]:4.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--rounds", type=int, default=7)
    said = parser.parse_args()
    ways = [False, True] if kernels() else [False]
    for n, classes in SHAPES:
        for loops in ways:
            use_kernels(on=loops)
            seen(n // 10 if said.quick else n, classes, said.rounds)
    asked(said.rounds, quick=said.quick)
    for rows in (200, 2000):
        merged(rows, 3)
    sizes()


if __name__ == "__main__":
    main()
