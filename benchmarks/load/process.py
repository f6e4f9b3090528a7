"""A server that a benchmark starts for itself, and what Linux tells of its process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LOSSMETER: Final = ("-m", "lossmeter", "serve", "--port", "0", "--workers", "1")
"""What Python is told, to be lossmeter with one worker on a port of its choice."""


class Started(NamedTuple):
    """A server.

    Attributes:
        address: host and port.
        pid: of its process.
    """

    address: tuple[str, int]
    pid: int


@contextmanager
def started(command: tuple[str, ...] = LOSSMETER) -> Iterator[Started]:
    """A server, told to stop when the block ends; its first line of output says where it listens."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOSSMETER_")}
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://([\w.]+):(\d+)", said)
            if not found:
                raise SystemExit(f"{' '.join(command)} did not start: {said!r}")
            yield Started((found[1], int(found[2])), process.pid)
        finally:
            process.terminate()


def resident(pid: int, name: str = "VmRSS") -> int:
    """A line of Linux's account of a process, in bytes: VmRSS is now, VmHWM the most; 0 elsewhere."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(rf"{name}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def forget_peak(pid: int) -> None:
    """Let VmHWM begin anew: see proc_pid_clear_refs(5)."""
    clear = Path(f"/proc/{pid}/clear_refs")
    if clear.exists():
        clear.write_text("5")
