"""The truth in 80 digits: what every returned number should be for the binary numbers that were sent.

Written from the definitions, with mpmath, one row at a time. Differences of nearly equal numbers are taken in 80
digits, and what is tiny is still built from its tiny parts, so that at least 60 are left at gaps of 700 and of 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import mpmath
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Exact: TypeAlias = Any
"""An mpmath.mpf."""
Row: TypeAlias = "list[Exact]"

context = mpmath.mp.clone()
context.dps = 80
SMALL = context.mpf(10) ** -20
mpf, exp, log, log1p, expm1 = context.mpf, context.exp, context.log, context.log1p, context.expm1


@dataclass(frozen=True)
class Distribution:
    """A row of probabilities in the three forms that keep digits."""

    p: Row
    not_p: Row
    log_p: Row


def read(row: Sequence[float] | NDArray[Any]) -> Row:
    """Binary numbers, exactly."""
    return [mpf(float(value)) for value in row]


def softmax(row: Sequence[float] | NDArray[Any], temperature: float = 1.0) -> Distribution:
    """e^{x_j/T} / Σ_c e^{x_c/T}."""
    x = read(row)
    best = max(range(len(x)), key=x.__getitem__)
    below = [(each - x[best]) / mpf(temperature) for each in x]
    masses = [exp(each) for each in below]
    rest = total_but(masses, best)
    log_whole = log1p(rest)
    not_p = [(rest if j == best else 1 + (rest - mass)) / (1 + rest) for j, mass in enumerate(masses)]
    return Distribution([mass / (1 + rest) for mass in masses], not_p, [each - log_whole for each in below])


def as_sent(row: Sequence[float] | NDArray[Any]) -> Distribution:
    """Probabilities as they are."""
    return of(read(row))


def of(p: Row) -> Distribution:
    """Exact probabilities."""
    return Distribution(p, [1 - each for each in p], [log(each) if each else -context.inf for each in p])


def as_logarithms(row: Sequence[float] | NDArray[Any]) -> Distribution:
    """Log-probabilities as they are."""
    log_p = read(row)
    return Distribution([exp(each) for each in log_p], [-expm1(each) for each in log_p], log_p)


def total(terms: Row) -> Exact:
    """Σ."""
    return context.fsum(terms)


def total_but(terms: Row, without: int) -> Exact:
    """Σ over the others."""
    return context.fsum(terms[:without] + terms[without + 1 :])


def totals_but(terms: Row) -> Row:
    """Σ over the others, for every one."""
    ahead, behind = [mpf(0)], [mpf(0)]
    for term in terms[:-1]:
        ahead.append(ahead[-1] + term)
    for term in reversed(terms[1:]):
        behind.append(behind[-1] + term)
    return [left + right for left, right in zip(ahead, reversed(behind), strict=True)]


def times(weight: Exact, value: Exact) -> Exact:
    """Weight · value, 0 for a weight of 0."""
    return weight * value if weight else mpf(0)


def smoothed(truth: Sequence[float] | NDArray[Any], smoothing: float, masked: Sequence[bool]) -> Distribution:
    """(1−α) t + α/K over the classes that are not masked."""
    share = mpf(smoothing) / sum(not each for each in masked)
    kept = 1 - mpf(smoothing)
    return of([kept * t + (0 if out else share) for t, out in zip(read(truth), masked, strict=True)])


def one_hot(target: int, classes: int) -> Distribution:
    """The truth of a class index."""
    return of([mpf(int(j == target)) for j in range(classes)])


# Losses of the target's log-probability: φ and its slope by log p.
Phi: TypeAlias = "Callable[[Exact, Exact, Exact], tuple[Exact, Exact]]"


def cross_entropy(p: Exact, not_p: Exact, log_p: Exact) -> tuple[Exact, Exact]:  # noqa: ARG001  one signature for all
    """−log p."""
    return -log_p, mpf(-1)


def focal(gamma: float) -> Phi:
    """−(1−p)^γ log p."""

    def phi(p: Exact, not_p: Exact, log_p: Exact) -> tuple[Exact, Exact]:
        if gamma == 0:
            return cross_entropy(p, not_p, log_p)
        power = mpf(gamma)
        fade = not_p**power
        if not p:
            return fade * -log_p, -fade
        return fade * -log_p, fade * (-1 + power * p * log_p / not_p) if not_p else mpf(0)

    return phi


def poly1(epsilon: float) -> Phi:
    """−log p + ε (1−p)."""

    def phi(p: Exact, not_p: Exact, log_p: Exact) -> tuple[Exact, Exact]:
        beyond = log1p_minus(-not_p) if 2 * p > 1 else -log_p - not_p
        return beyond + (1 + mpf(epsilon)) * not_p, -(1 + mpf(epsilon)) * p - not_p

    return phi


def generalized(q: float) -> Phi:
    """(1 − p^q)/q."""
    return lambda _p, _not_p, log_p: (-expm1(mpf(q) * log_p) / mpf(q), -exp(mpf(q) * log_p))


def row_loss(phi: Phi, shares: Row, model: Distribution) -> tuple[Exact, Row]:
    """Σ_c share_c φ(p_c), and the slopes share_c φ′ by log p_c."""
    parts = [phi(*each) for each in zip(model.p, model.not_p, model.log_p, strict=True)]
    value = total([times(share, part[0]) for share, part in zip(shares, parts, strict=True)])
    return value, [times(share, part[1]) for share, part in zip(shares, parts, strict=True)]


def by_logits(slopes: Row, model: Distribution, temperature: float = 1.0) -> Row:
    """∂/∂x_j = (s_j (1−p_j) − p_j Σ_{c≠j} s_c)/T."""
    rows = zip(slopes, model.p, model.not_p, totals_but(slopes), strict=True)
    return [(s * not_p - p * others) / mpf(temperature) for s, p, not_p, others in rows]


def reach(slopes: Row, model: Distribution, temperature: float = 1.0) -> Row:
    """The size of what is added up in each of those entries."""
    sizes = [abs(s) for s in slopes]
    rows = zip(sizes, model.p, model.not_p, totals_but(sizes), strict=True)
    return [(s * not_p + p * others) / mpf(temperature) for s, p, not_p, others in rows]


def closes(row: NDArray[Any]) -> bool:
    """Whether a row of gradients sums to 0 within 1 ulp of its largest entry."""
    largest = np.abs(row).max()
    return bool(abs(float(total(read(row)))) <= np.spacing(largest)) if np.isfinite(largest) else True


# Divergences: Σ a log(a/b) − a + b, which is the textbook's sum where both add up to 1.
def relative_entropy(a: Distribution, b: Distribution) -> Exact:
    """KL(a‖b)."""
    return total([_term(*each) for each in zip(a.p, b.p, differences(a, b), strict=True)])


def differences(a: Distribution, b: Distribution) -> Row:
    """The second less the first, from the small sides where both are large."""
    rows = zip(a.p, a.not_p, b.p, b.not_p, strict=True)
    return [(not_a - not_b if 2 * p > 1 and 2 * q > 1 else q - p) for p, not_a, q, not_b in rows]


def _term(a: Exact, b: Exact, difference: Exact) -> Exact:
    if not a:
        return b
    if not b:
        return context.inf
    u = difference / a
    return a * log1p_minus(u) if 2 * abs(u) < 1 else a * log(a / b) + difference


def log1p_minus(u: Exact) -> Exact:
    """What u exceeds log(1+u) by."""
    return u * u / 2 - u**3 / 3 + u**4 / 4 - u**5 / 5 if abs(u) < SMALL else u - log1p(u)


def jensen_shannon(a: Distribution, b: Distribution) -> Exact:
    """½ KL(a‖m) + ½ KL(b‖m)."""
    rows = list(zip(a.p, b.p, differences(a, b), strict=True))
    halves = [_term(p, p + d / 2, d / 2) + _term(q, q - d / 2, -d / 2) for p, q, d in rows]
    return total(halves) / 2


def entropy(model: Distribution) -> Exact:
    """−Σ p log p."""
    return -total([times(p, log_p) for p, log_p in zip(model.p, model.log_p, strict=True)])


def divergence_loss(name: str, truth: Distribution, model: Distribution) -> tuple[Exact, Row]:
    """A loss that compares whole distributions, and its slopes by log p (short of a constant times p)."""
    if name == "squared_error":
        gaps = differences(truth, model)
        return total([gap * gap for gap in gaps]), [2 * p * gap for p, gap in zip(model.p, gaps, strict=True)]
    if name == "kl_divergence":
        return relative_entropy(truth, model), [-t for t in truth.p]
    pairs = list(zip(truth.p, model.p, strict=True))
    if name == "reverse_kl":
        return relative_entropy(model, truth), [p * log(p / t) if p else mpf(0) for t, p in pairs]
    return jensen_shannon(truth, model), [p * log(2 * p / (t + p)) / 2 if p else mpf(0) for t, p in pairs]


def pulls(name: str, truth: Distribution, model: Distribution) -> Row:
    """What the rounding of a truth that had to be computed makes of a loss, t ∂L/∂t."""
    if name == "squared_error":
        return [2 * t * gap for t, gap in zip(truth.p, differences(model, truth), strict=True)]
    ratios = [t and p and (log(t / p), log(2 * t / (t + p))) for t, p in zip(truth.p, model.p, strict=True)]
    place = {"kl_divergence": 0, "jensen_shannon": 1}.get(name)
    if place is None:
        return [p - t for t, p in zip(truth.p, model.p, strict=True)]
    return [t * ratio[place] if ratio else mpf(0) for t, ratio in zip(truth.p, ratios, strict=True)]


def units(returned: float, truth: Exact, dtype: type[np.floating[Any]] | str, scale: Exact = 0) -> float:
    """How far off, in units of the dtype's rounding (2⁻⁵³, 2⁻²⁴) of the truth, or of ``scale`` where that is larger.

    Sums of numbers below the smallest normal one have no relative accuracy; near it the error is measured in its units.
    """
    rounding, smallest, largest = limits(np.dtype(dtype).name)
    if context.isinf(truth) or not np.isfinite(returned):
        return 0.0 if float(truth) == float(returned) else float("inf")
    size = abs(truth)
    if size > largest:
        return 0.0
    return float(abs(mpf(float(returned)) - truth) / (rounding * max(size, abs(scale), smallest)))


@cache
def limits(dtype: str) -> tuple[Exact, Exact, Exact]:
    """2⁻⁵³ or 2⁻²⁴, from where on it is relative, and the largest number."""
    info = np.finfo(dtype)
    return mpf(float(info.eps)) / 2, 2048 * mpf(float(info.tiny)), mpf(float(info.max))
