"""What a request takes of a server beside time, and what cannot be undercut: the parser and the encoder alone."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
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


def processor_seconds(process: int) -> float:
    """Processor time so far of a process and all that it has started, which a busy machine hardly changes."""
    used, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            used[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    family = {process}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(each, 0) for each in family) / os.sysconf("SC_CLK_TCK")
