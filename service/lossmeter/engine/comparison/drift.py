"""Drift of a class mix between two windows: KL, Jensen–Shannon and PSI, with what every class adds.

A mix is a distribution over the classes, from sums of weights. A class that one window never saw makes KL and PSI
infinite: that is said, with its index, and beside it stands the PSI with half a row added to every class (Jeffreys'
prior), which is finite.

Source: Kullback, Leibler 1951; Lin, "Divergence Measures Based on the Shannon Entropy", 1991; Siddiqi, "Credit Risk
Scorecards", 2006 (PSI); Yurdakul, Naranjo, "Statistical Properties of the Population Stability Index", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lossmeter.engine.arrays import Vector
from lossmeter.engine.divergences import divergence


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How far the mix of the current window is from that of the reference; nats.

    Attributes:
        reference: ``Float[classes]``, shares of the classes.
        current: ``Float[classes]``.
        kl_divergence: KL(current ‖ reference).
        jensen_shannon: in [0, ln 2], finite always.
        psi: KL(current ‖ reference) + KL(reference ‖ current), the population stability index.
        psi_by_class: ``Float[classes]``, (q − p) log(q/p) ≥ 0; they add up to ``psi``.
        psi_smoothed: the same with half a row added to every class of either window.
        psi_by_chance: what it is on average where nothing has drifted, (classes − 1)(1/n + 1/m).
        absent_in_reference: classes that only the current window has; they make ``psi`` infinite.
        absent_in_current: classes that only the reference has; they, too.
    """

    reference: Vector
    current: Vector
    kl_divergence: float
    jensen_shannon: float
    psi: float
    psi_by_class: Vector
    psi_smoothed: float
    psi_by_chance: float
    absent_in_reference: list[int]
    absent_in_current: list[int]


def drift(reference: Vector, current: Vector, rows: tuple[float, float]) -> Drift | None:
    """The drift between two mixes.

    Args:
        reference: ``Float[classes]``, Σ of weights, not normalised.
        current: ``Float[classes]``.
        rows: how many rows of equal weight each of them stands for.

    Returns:
        None where a window has no weight.
    """
    if not (np.add.reduce(reference) > 0 and np.add.reduce(current) > 0):
        return None
    p, q = reference / np.add.reduce(reference), current / np.add.reduce(current)
    compared = divergence(p=p[None], q=q[None])
    terms = _psi_terms(p, q)
    half = [(share * count + 0.5) / (count + len(p) / 2) for share, count in zip((p, q), rows, strict=True)]
    return Drift(
        reference=p,
        current=q,
        kl_divergence=float(compared.reverse_kl_divergence[0]),
        jensen_shannon=float(compared.jensen_shannon[0]),
        psi=float(np.add.reduce(terms)),
        psi_by_class=terms,
        psi_smoothed=float(np.add.reduce(_psi_terms(half[0], half[1]))),
        psi_by_chance=(int(np.count_nonzero(p + q)) - 1) * (1 / rows[0] + 1 / rows[1]),
        absent_in_reference=np.flatnonzero((p == 0) & (q > 0)).tolist(),
        absent_in_current=np.flatnonzero((q == 0) & (p > 0)).tolist(),
    )


def _psi_terms(p: Vector, q: Vector) -> Vector:
    """The terms (q − p) log(q/p), with log1p of the relative difference, so that near mixes keep their digits."""
    least = np.minimum(p, q)
    with np.errstate(all="ignore"):
        distance = np.abs(q - p)
        return np.where(distance > 0, distance * np.log1p(distance / least), 0.0)
