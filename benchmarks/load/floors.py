"""The memory that a request takes of a server, and what cannot be undercut: the parser and the encoder alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from load import client
from load.process import forget_peak, resident
from lossmeter.wire import json

if TYPE_CHECKING:
    from load.forms import Batch, Form
    from load.servers import Running


def parse_and_encode(form: Form, batch: Batch, repeats: int) -> float:
    """Seconds to read a request of JSON and to write its answer in this process: the best of some."""
    _, body = form.write(batch)
    losses, gradients = batch.given
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        json.decode(body)
        json.encode({"losses": losses, "gradients": gradients})
        best = min(best, time.perf_counter() - started)
    return best


def memory(server: Running, request: bytes) -> tuple[int, int]:
    """Bytes by which a request makes a server's resident memory grow at most, by Linux's count, and of its answer."""
    before = resident(server.pid)
    forget_peak(server.pid)
    answer = client.ask(server.address, request)
    return resident(server.pid, "VmHWM") - before, len(answer.body)
