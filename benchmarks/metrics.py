"""Metrics beside their peers: ROC AUC against scikit-learn's, and measure() against score() without gradients.

    python benchmarks/metrics.py [--quick] [--rounds N]

Each figure is the best of N rounds in which all took turns, in milliseconds. ``ratio`` is our time by theirs in the
same run: of ROC AUC at most 1.5 is promised. Ours says more: areas, average precisions and pairs of classes come from
one sort; scikit-learn's roc_auc_score says one number. Of ``measure`` 1.5 is promised over HTTP, where reading counts
too (metrics_endpoint.py); here, without it, the pass that sees all of a row takes several times the loss alone.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import METRICS, measure, score
from lossmeter.engine.ranking import ranking

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = [(10_000, 2), (1_000_000, 2), (100_000, 10), (20_000, 100)]


def best(jobs: list[Callable[[], object]], rounds: int) -> list[float]:
    """The shortest time of each job, in milliseconds."""
    shortest = [float("inf")] * len(jobs)
    for _ in range(rounds):
        for at, job in enumerate(jobs):
            began = time.perf_counter()
            job()
            shortest[at] = min(shortest[at], 1000 * (time.perf_counter() - began))
    return shortest


def batch(n: int, classes: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Logits of a fair classifier, the truth, and weights."""
    rng = np.random.default_rng(2026)
    targets = rng.integers(0, classes, n)
    logits = rng.standard_normal((n, classes))
    logits[np.arange(n), targets] += 1.5
    return logits, targets, rng.uniform(0.5, 2, n)


def areas(n: int, classes: int, rounds: int) -> None:
    """One line for unweighted rows and one for weighted ones."""
    from sklearn.metrics import roc_auc_score

    logits, targets, weights = batch(n, classes)
    masses = np.exp(logits)
    p = masses / masses.sum(axis=1, keepdims=True)
    score = p[:, 1] if classes == 2 else p
    for name, w in (("", None), (" weighted", weights)):
        said: dict[str, Any] = {"sample_weight": w, "multi_class": "ovr"}
        theirs = roc_auc_score(targets, score, **said)
        found = ranking(p, targets, w).auc.mean()
        assert abs(theirs - found) < 1e-10
        line(
            f"ROC AUC {n}x{classes}{name}",
            best(
                [
                    lambda w=w: ranking(p, targets, w),  # type: ignore[misc]
                    lambda said=said: roc_auc_score(targets, score, **said),  # type: ignore[misc]
                ],
                rounds,
            ),
        )


def passes(n: int, classes: int, rounds: int) -> None:
    """Every metric that needs no row by itself, beside the loss alone: the same pass over the rows."""
    logits, targets, weights = batch(n, classes)
    additive = [name for name, metric in METRICS.items() if not metric.needs_rows("equal_width", classes)]
    for name, w in (("", None), (" weighted", weights)):
        sent: dict[str, Any] = {"logits": logits, "targets": targets, "sample_weights": w}
        assert measure(**sent, metrics=additive).metrics["log_loss"] == score(**sent, include=()).loss
        line(
            f"measure {n}x{classes}{name}",
            best(
                [
                    lambda sent=sent: measure(**sent, metrics=additive),  # type: ignore[misc]
                    lambda sent=sent: score(**sent, include=()),  # type: ignore[misc]
                ],
                rounds,
            ),
        )


def line(title: str, times: list[float]) -> None:
    """Ours, theirs, and the ratio."""
    print(f"{title:34} {times[0]:10.2f} {times[1]:10.2f} {times[0] / times[1]:8.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small shapes, few rounds")
    parser.add_argument("--rounds", type=int, default=7)
    said = parser.parse_args()
    rounds = 2 if said.quick else said.rounds
    print(f"{'':34} {'ours':>10} {'theirs':>10} {'ratio':>8}")
    for n, classes in SHAPES[: 1 if said.quick else None]:
        areas(n, classes, rounds)
    for n, classes in SHAPES[: 1 if said.quick else None]:
        passes(n, classes, rounds)


if __name__ == "__main__":
    main()
