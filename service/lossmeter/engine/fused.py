"""Compiled loops, where Numba is installed (the extra ``lossmeter[fused]``); NumPy does the same work without them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_switch = {"on": True}


def kernels() -> ModuleType | None:
    """``fused_kernels``; None without Numba, or where they are switched off."""
    return _loaded() if _switch["on"] else None


def use_kernels(*, on: bool) -> None:
    """Switch the loops off, or on again, in the whole process: to compare."""
    _switch["on"] = on


@cache
def _loaded() -> ModuleType | None:
    """Importing Numba takes a second, so that waits for the first batch."""
    try:
        from lossmeter.engine import fused_kernels  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        return None
    return fused_kernels
