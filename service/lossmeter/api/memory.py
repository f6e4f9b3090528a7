"""Memory that was needed for a large request is the system's again after it.

glibc's ``malloc`` maps large blocks one by one and returns each when it is freed. But it raises its idea of
"large" with every block that it sees, up to 32 MiB; blocks below stay with the process, in each of its threads.
Setting the threshold holds it where it is: mallopt(3), M_MMAP_THRESHOLD.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

LARGE_BYTES: Final = 1 << 20
"""A fresh mapping of this size costs a fraction of what is then computed in it."""

_M_MMAP_THRESHOLD: Final = -3


def return_large_blocks() -> None:
    """Fixes the threshold for this process, where its ``malloc`` has one."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
