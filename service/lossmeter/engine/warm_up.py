"""What has to be compiled is compiled before the first caller waits for it."""

from __future__ import annotations

import numpy as np

from lossmeter.engine.fused import kernels
from lossmeter.engine.score import score


def warm_up() -> None:
    """Score a small batch of every kind of array that the loops are compiled for; nothing without Numba.

    Takes some 20 seconds the first time on a machine, a second where Numba finds what it kept.
    """
    if kernels() is None:
        return
    for dtype in (np.float64, np.float32):
        for writeable in (True, False):  # arrays of JSON are, arrays of binary bodies are not
            logits = np.array([[0.0, 1.0, 2.0]], dtype)
            shares = np.array([[0.25, 0.25, 0.5]], dtype)
            for array in (logits, shares):
                array.flags.writeable = writeable
            for targets in ([0], shares):
                score(logits=logits, targets=targets, include=["gradients", "state"])
