"""Have infinite losses become more frequent? Exact tests of counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def fisher(reference: tuple[int, int], current: tuple[int, int]) -> float:
    """Fisher's exact test, one-sided: P(at least as many now), given how many there are in both windows.

    Args:
        reference: rows with an infinite loss, and all rows.
        current: the same.

    The hypergeometric tail; its relative error is that of lgamma, 1e-15 n log n.

    Source: Fisher, "The Logic of Inductive Inference", Journal of the Royal Statistical Society 98 (1935).
    """
    (few, n), (many, m) = reference, current
    infinite = few + many

    def log_chance(k: int) -> float:
        return _log_choose(m, k) + _log_choose(n, infinite - k) - _log_choose(n + m, infinite)

    def ratio(k: int) -> float:
        """The chance of k + 1 by that of k."""
        return (m - k) * (infinite - k) / ((k + 1) * (n - infinite + k + 1))

    return _upper_tail(many, (max(0, infinite - n), min(infinite, m)), log_chance, ratio)


def sign_test(arisen: int, left: int) -> float:
    """P(at least ``arisen`` of ``arisen + left`` changes), where either direction is as likely."""
    changes = arisen + left

    def log_chance(k: int) -> float:
        return _log_choose(changes, k) - changes * math.log(2)

    return _upper_tail(arisen, (0, changes), log_chance, lambda k: (changes - k) / (k + 1))


def _upper_tail(
    start: int, ends: tuple[int, int], log_chance: Callable[[int], float], ratio: Callable[[int], float]
) -> float:
    """P(K ≥ start) of a K with one mode: its terms are summed on the side where they fall."""
    low, high = ends
    if start <= low:
        return 1.0
    if ratio(start - 1) >= 1:  # below the mode
        return 1.0 - _sum(
            math.exp(log_chance(start - 1)), range(start - 1, low, -1), lambda k: 1 / ratio(k - 1)
        )
    return min(1.0, _sum(math.exp(log_chance(start)), range(start, high), ratio))


def _sum(term: float, steps: range, factor: Callable[[int], float]) -> float:
    """``term`` and those after it, each the one before times the factor of its step."""
    whole = term
    for k in steps:
        term *= factor(k)
        whole += term
        if term <= whole * 2.0**-60:
            break
    return whole


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
