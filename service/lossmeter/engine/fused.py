"""Compiled loops, where Numba is installed (the extra ``lossmeter[fused]``); NumPy does the same work without them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


@cache
def kernels() -> ModuleType | None:
    """``fused_kernels``, or None without Numba; loaded when first asked for, since that takes a second."""
    try:
        from lossmeter.engine import fused_kernels  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        return None
    return fused_kernels
