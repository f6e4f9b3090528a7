"""Which parser should read arrays of numbers, and which should write them: ratios within one run.

Every parser takes the same bytes to the same float64 array; the time is the best of several runs, interleaved, so that
a busy machine disturbs all alike. ``growth`` is the largest resident memory while reading, over the size of the body,
measured in a process of its own.

    python benchmarks/json_codec.py
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import orjson

from lossmeter.wire import json_exact
from lossmeter.wire.json import DEFAULT_DEPTH, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Given = TypeVar("Given")

SHAPES: Final = ((20_000, 100), (1_000_000, 2), (1, 5))
ROUNDS: Final = 5
SMALL_REPEATS: Final = 2_000


def by_decode(body: bytes) -> Array:
    """What the service does."""
    return np.asarray(decode(body))


def by_exact_reader(body: bytes) -> Array:
    """What it does where simdjson is not installed or cannot judge."""
    return np.asarray(json_exact.read(body, DEFAULT_DEPTH))


def by_simdjson(body: bytes) -> Array:
    """A flat buffer, whose shape is believed; decode proves it."""
    import simdjson

    rows = simdjson.Parser().parse(body)
    assert isinstance(rows, simdjson.Array)
    return np.frombuffer(rows.as_buffer(of_type="d"), np.float64).reshape(len(rows), -1)


def by_orjson(body: bytes) -> Array:
    """Python floats in lists, then an array."""
    return np.array(orjson.loads(body), np.float64)


def by_msgspec(body: bytes) -> Array:
    """The same, with types that are checked on the way."""
    import msgspec

    return np.array(msgspec.json.decode(body, type=list[list[float]]), np.float64)


def by_json(body: bytes) -> Array:
    """The standard library."""
    return np.array(json.loads(body), np.float64)


READERS: Final[Mapping[str, tuple[str, Callable[[bytes], Array]]]] = {
    "lossmeter decode": ("orjson", by_decode),
    "lossmeter exact reader": ("orjson", by_exact_reader),
    "pysimdjson as_buffer": ("simdjson", by_simdjson),
    "orjson + numpy.array": ("orjson", by_orjson),
    "msgspec + numpy.array": ("msgspec", by_msgspec),
    "json + numpy.array": ("json", by_json),
}

WRITERS: Final[Mapping[str, Callable[[Array], bytes]]] = {
    "lossmeter encode": encode,
    "orjson, NumPy option": lambda array: orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY),
    "orjson of tolist": lambda array: orjson.dumps(array.tolist()),
    "json of tolist": lambda array: json.dumps(array.tolist()).encode(),
}


def best_times(
    candidates: Mapping[str, Callable[[Given], object]], given: Given, repeats: int
) -> dict[str, float]:
    """Seconds per call: the best of interleaved rounds."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(ROUNDS):
        for name, call in candidates.items():
            started = time.perf_counter()
            for _ in range(repeats):
                call(given)
            best[name] = min(best[name], (time.perf_counter() - started) / repeats)
    return best


def growth(name: str, body: bytes) -> float | None:
    """How much the memory of a fresh process grows at most, over the size of the body; None if it cannot be told."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_growth, args=(sender, name, body))
    child.start()
    sender.close()
    answer: float = receiver.recv()
    child.join()
    return answer


def send_growth(sender: Connection, name: str, body: bytes) -> None:
    """Runs in the child: the peak after the reset, less what was resident before."""
    read = READERS[name][1]
    read(b"[[1.5]]")
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    read(body)
    sender.send((resident("VmHWM") - before) / len(body))


def resident(field: str) -> int:
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def report(title: str, times: Mapping[str, float], growths: Mapping[str, float | None]) -> None:
    """One table; the first line is what the others are compared with."""
    reference = next(iter(times.values()))
    print(f"\n{title:40} {'ms':>10} {'ratio':>7} {'growth':>7}")
    for name, seconds in times.items():
        grown = growths.get(name)
        print(
            f"  {name:38} {seconds * 1e3:10.3f} {seconds / reference:7.2f} {'' if grown is None else f'{grown:7.2f}'}"
        )


def main() -> None:
    """Print the tables."""
    readers = {name: read for name, (module, read) in READERS.items() if importlib.util.find_spec(module)}
    for shape in SHAPES:
        array = np.random.default_rng(1).standard_normal(shape)
        body = encode(array)
        for read in readers.values():
            assert read(body).tobytes() == array.tobytes()
        repeats = SMALL_REPEATS if array.size < 1000 else 1
        size = f"{shape[0]} × {shape[1]}, {len(body) / 1e6:.4g} MB"
        growths = {name: growth(name, body) for name in readers} if repeats == 1 else {}
        report(f"read {size}", best_times(readers, body, repeats), growths)
        report(f"write {size}", best_times(WRITERS, array, repeats), {})


if __name__ == "__main__":
    main()
