"""Probes are answered while large bodies are read, scored and answered."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from resilience.monsters import wrong
from resilience.targets import Target, in_parallel, of_size, probing

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience.conftest import Tell

CLIENTS = 4


def under_load(target: Target, bodies: list[bytes], seconds: float = 6) -> dict[str, float]:
    """How long a probe takes while clients send these bodies, one after the other."""
    over = threading.Event()
    statuses: list[int] = []

    def send(body: bytes) -> Callable[[], None]:
        def run() -> None:
            while not over.is_set():
                statuses.append(target.ask(body).status)

        return run

    bodies = [target.wrap(body) for body in bodies]
    with probing(target).on() as probes:
        clients = threading.Thread(target=lambda: in_parallel([send(body) for body in bodies]))
        clients.start()
        time.sleep(seconds)
        over.set()
        clients.join()
    return {
        "p99 s": probes.p99,
        "worst s": probes.most,
        "answers": len(statuses),
        "failed": statuses.count(0),
    }


def large_bodies(target: Target, seconds: float = 6) -> dict[str, float]:
    """Probes while 4 clients send 20 MB of JSON each."""
    return under_load(target, [of_size(20_000_000)] * CLIENTS, seconds)


def wrong_bodies(target: Target, seconds: float = 6) -> dict[str, float]:
    """Probes while 4 clients send 20 MB of JSON that is wrong everywhere."""
    return under_load(target, [wrong(name) for name in ("ragged", "nested", "1e400", "null")], seconds)


@pytest.mark.parametrize("fault", [large_bodies, wrong_bodies])
def test_probes(target: Target, fault: Callable[[Target], dict[str, float]], tell: Tell) -> None:
    """No probe waits for a body; the bound leaves room for a busy machine, the figure is told."""
    figures = fault(target)
    tell(f"probes, 4 clients with {fault.__name__.replace('_', ' ')} of 20 MB", figures)
    assert figures["failed"] == 0
    assert figures["p99 s"] < 1
