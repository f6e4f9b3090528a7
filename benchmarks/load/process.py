"""What Linux tells of a server's process: its memory and its processor time."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


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
