"""Clients that go away, from their upload or from the queue: nothing is left of them, and nothing computed for them."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from resilience.pools import Load, connection_to
from resilience.targets import Target, batch, of_size
from resilience.test_slow_clients import SMALL
from servers import running
from v2.messages import message

if TYPE_CHECKING:
    from resilience.conftest import Tell

ROWS = 2000
TENSORS = {"logits": np.full((ROWS, 10), 1 / 7), "targets": np.zeros(ROWS, int)}
WAITING = {
    "/v1/score": batch(ROWS, 10, loss={"name": "focal"}),
    "/v2/models/focal/infer": message(TENSORS, binary=False)[0],
}
"""What is more than the event loop computes itself."""


def vanishing(target: Target, count: int = 40) -> dict[str, float]:
    """Clients that send a large request and go: what each costs, beside one that stays."""
    body = target.wrap(of_size(2_000_000))
    target.ask(body)
    started = target.cpu()
    for _ in range(count // 4):
        assert target.ask(body).status == 200
    served = (target.cpu() - started) / (count // 4)
    started = target.cpu()
    for part in islice(cycle([0.0, 0.5, 1.0]), count):
        with target.connect() as connection:
            connection.sendall(target.head(len(body)) + body[: int(len(body) * part)])
    last = time.monotonic() + 20
    while target.sockets() and time.monotonic() < last:
        time.sleep(0.05)
    left = target.sockets()
    target.ask(target.wrap(SMALL))
    return {"cost / served": (target.cpu() - started) / count / served, "open": left}


def test_vanishing(target: Target, tell: Tell) -> None:
    """Who goes away leaves nothing behind, and costs less than who stays."""
    figures = vanishing(target)
    tell("clients that vanish", figures)
    assert figures["open"] == 0
    assert figures["cost / served"] < 1
    assert target.ask(SMALL).status == 200


@pytest.mark.parametrize("path", WAITING)
def test_vanishing_from_the_queue(path: str, tell: Tell) -> None:
    """Who goes while others have the cores is not computed when it is its turn."""
    count, body = 20, WAITING[path]
    with running(max_queue=1000, max_queue_seconds=60, max_requests_per_caller=1000) as server:
        target = Target(server.url, server.pid, path)
        busy = Load(
            Target(server.url, server.pid), of_size(2_000_000), [connection_to(target) for _ in range(30)]
        )
        assert target.ask(body).status == 200
        with busy.on(), ExitStack() as stack:
            time.sleep(0.5)
            for _ in range(count):
                connection = stack.enter_context(target.connect())
                connection.sendall(target.head(len(body)) + body)
            time.sleep(0.1)
        last = time.monotonic() + 20
        while target.sockets() and time.monotonic() < last:
            time.sleep(0.05)
        computed = rows_scored(target, "focal") / ROWS - 1
    tell(f"{count} that vanish from the queue for {path}", {"computed": computed})
    assert set(busy.seen) == {"200"}, busy.seen
    assert computed == 0


def rows_scored(target: Target, loss: str) -> float:
    """How many rows the service says that it has scored with this loss."""
    connection = connection_to(target)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(rf'^lossmeter_rows_scored_total{{.*loss="{loss}".*}} (.*)$', text, re.MULTILINE)
    return sum(map(float, found))
