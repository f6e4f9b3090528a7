"""Faults: the scripts of tests/resilience against lossmeter, a plain FastAPI service and MLServer, as a table.

MLServer is measured where ``make clients`` has installed it. Every fault finds a server that has just started. Figures
need a quiet machine; ``--quick`` makes the long faults short, ``--only NAME`` does some.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from resilience import (  # noqa: E402 - as above
    test_memory,
    test_monsters,
    test_overload,
    test_probes,
    test_slow_clients,
    test_vanishing,
)
from resilience.monsters import MONSTERS  # noqa: E402 - as above
from resilience.targets import Target, of_size, probe  # noqa: E402 - as above
from servers import running  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

PATIENCE = 60.0
MLSERVER = ROOT / "build" / "clients" / "mlserver" / "bin"
FEW = ("ragged", "1e400", "nested", "null")


@contextmanager
def lossmeter() -> Iterator[Target]:
    """This service, with short deadlines for slow clients."""
    with running(header_timeout=5, body_timeout=5, write_timeout=5, log_level="warning") as server:
        yield ready(Target(server.url, server.pid))


@contextmanager
def plain() -> Iterator[Target]:
    """The endpoint as one writes it first."""
    with running(script=ROOT / "benchmarks" / "rivals" / "plain.py") as server:
        yield ready(Target(server.url, server.pid))


@contextmanager
def mlserver() -> Iterator[Target]:
    """The endpoint as a runtime of MLServer's."""
    ports = [free_port() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        names = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
        settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **names}
        Path(folder, "settings.json").write_text(json.dumps(settings))
        model = {"name": "score", "implementation": "mlserver_model.Score"}
        Path(folder, "model-settings.json").write_text(json.dumps(model))
        paths = os.pathsep.join([str(ROOT / "benchmarks" / "rivals"), str(MLSERVER)])
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "benchmarks" / "rivals"),
            "PATH": paths + ":" + os.environ["PATH"],
        }
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [MLSERVER / "mlserver", "start", folder], env=environment, stdout=log, stderr=log
            )
        try:
            path = "/v2/models/score/infer"
            yield ready(
                Target(f"http://127.0.0.1:{ports[0]}", process.pid, path, "/v2/health/live", as_tensors)
            )
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def as_tensors(body: bytes) -> bytes:
    """A batch as the Open Inference Protocol has it; what is no batch stays one in form only."""
    try:
        found = json.loads(body)
        logits, targets = found["logits"], found["targets"]
        shape = [len(logits), len(logits[0])]
        flat = [value for row in logits for value in row]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        start = b'{"inputs":[{"name":"logits","datatype":"FP64","shape":[1,1],"data":'
        return body.replace(b'{"logits":', start).replace(b',"targets":[0]}', b"}]}")
    tensors = [
        {"name": "logits", "datatype": "FP64", "shape": shape, "data": flat},
        {"name": "targets", "datatype": "INT64", "shape": [len(targets)], "data": targets},
    ]
    return json.dumps({"inputs": tensors}).encode()


def ready(target: Target) -> Target:
    """The target, once it scores."""
    last = time.monotonic() + PATIENCE
    body = target.wrap(of_size(2000))
    while probe(target) >= PATIENCE or target.ask(body).status != 200:
        assert time.monotonic() < last, target.ask(body)
        time.sleep(0.1)
    return target


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


SERVERS: dict[str, Callable[[], AbstractContextManager[Target]]] = {
    "lossmeter": lossmeter,
    "plain FastAPI": plain,
    "MLServer": mlserver,
}

FAULTS: dict[str, tuple[Callable[[Target, bool], Mapping[str, float]], dict[str, str]]] = {
    "memory": (
        lambda target, quick: test_memory.one_large(target, 10_000_000 if quick else 50_000_000),
        {
            "growth / body": "resident memory for a large JSON body with gradients, growth / body",
            "kept MB": "… of it kept afterwards, MB",
        },
    ),
    "uploads": (
        lambda target, quick: test_memory.many_large(target, 20 if quick else 60),
        {
            "growth MB": "many uploads of 4 MB at once: growth, MB",
            "failed": "… neither answered nor told to come again",
        },
    ),
    "probes": (
        lambda target, quick: test_probes.large_bodies(target, 5 if quick else 15),
        {
            "p99 s": "probe while 4 clients send 20 MB of JSON: p99, s",
            "worst s": "… worst, s",
        },
    ),
    "monsters": (
        lambda target, _: test_monsters.wrong_outcomes(target),
        {"wrong": f"wrong outcomes of {len(MONSTERS)} hostile JSON documents"},
    ),
    "wrong": (
        lambda target, _: test_monsters.cost_of_wrong(target, FEW, 2_000_000),
        {
            "CPU seconds": "2 MB of JSON that is wrong everywhere: CPU, s",
            "growth / body": "… growth / body",
            "largest answer": "… answer, bytes",
        },
    ),
    "heads": (
        lambda target, quick: test_slow_clients.heads(target, 100 if quick else 500, 10),
        {"open": "connections that trickle heads, still open after 10 s"},
    ),
    "bodies": (
        lambda target, quick: test_slow_clients.bodies(target, 100 if quick else 500, 10),
        {"open": "connections that trickle bodies, still open after 10 s"},
    ),
    "readers": (
        lambda target, quick: test_slow_clients.slow_readers(target, seconds=2 if quick else 4),
        {
            "held / answer": "8 clients that do not read: memory held / answer",
            "open": "… still connected after the deadline",
        },
    ),
    "vanishing": (
        lambda target, _: test_vanishing.vanishing(target),
        {"cost / served": "CPU of a request whose client goes away / of a served one"},
    ),
    "overload": (
        lambda target, quick: test_overload.overload(target, 5, 5 if quick else 20),
        {
            "goodput": "5 times overload with 1 MB of JSON: goodput / capacity",
            "served p99 s": "… p99 of the served, s",
            "refusal p50 s": "… median refusal, s",
            "probe p99 s": "… p99 of a probe, s",
        },
    ),
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=FAULTS)
    arguments = parser.parse_args()
    names = [name for name in SERVERS if name != "MLServer" or MLSERVER.exists()]
    print("| fault | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for fault in arguments.only or FAULTS:
        measure, figures = FAULTS[fault]
        found = {name: inflicted(name, measure, quick=arguments.quick) for name in names}
        for figure, words in figures.items():
            cells = [f"{found[name][figure]:.3g}" if figure in found[name] else "failed" for name in names]
            print(f"| {words} | " + " | ".join(cells) + " |", flush=True)


def inflicted(
    name: str, measure: Callable[[Target, bool], Mapping[str, float]], *, quick: bool
) -> Mapping[str, float]:
    """The figures of one fault on a server of its own; none if it did not stand it."""
    with SERVERS[name]() as target:
        try:
            return measure(target, quick)
        except AssertionError as error:
            print(f"{name}: {error!r}", file=sys.stderr)
            return {}


if __name__ == "__main__":
    main()
