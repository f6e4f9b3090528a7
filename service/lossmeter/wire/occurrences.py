"""How often a byte occurs: Python's own ``count`` looks at one byte after the other, NumPy at 64 of them."""

from __future__ import annotations

from typing import Final

import numpy as np

_BLOCK: Final = 1 << 18
"""Bytes that are compared at a time, so that the outcome stays in the cache."""


def occurrences(body: bytes | bytearray, byte: bytes) -> int:
    """How often this one byte occurs in the body."""
    found = np.frombuffer(body, np.uint8)
    return sum(
        int(np.count_nonzero(found[at : at + _BLOCK] == ord(byte))) for at in range(0, len(found), _BLOCK)
    )
