"""What a process is set to before it serves: memory that goes back, and an interpreter that changes threads often."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

LARGE_BYTES: Final = 2 << 20
"""From this size on, memory comes from the system and goes back to it. The body of a 1 MB request lies below: its pages
would cost a fifth of the request. 4 MB bodies lie above: in a heap, they would take half as much again while they come.
"""

KEPT_BYTES: Final = 16 << 20
"""What a heap keeps at its end: to give it back and fetch it anew with each request took a fifth of a 1 MB one."""

SWITCH_SECONDS: Final = 0.0005
"""How long a thread may run Python while another waits: the event loop waits for it at every step of a probe."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def settle() -> None:
    """Sets this process up, once all is imported."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is there now stays: the collector need not look through it again and again, all threads waiting.
    gc.collect()
    gc.freeze()
    _return_large_blocks()


def _return_large_blocks() -> None:
    """Memory that was needed for a large request is the system's again after it.

    glibc's ``malloc`` maps large blocks one by one and returns each when it is freed. But it raises its idea of
    "large" with every block that it sees, up to 32 MiB; blocks below stay with the process, in each of its threads.
    Setting the threshold holds it where it is: mallopt(3), M_MMAP_THRESHOLD; and ends the adjustment of the other one
    too, of how much a heap keeps, which begins at 128 KiB.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
            mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
