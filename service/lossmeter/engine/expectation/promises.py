"""The expectation of a mean loss, and its deviation, over truths drawn from the belief of each row.

A row whose truth is drawn from the belief q costs v w_c φ_c with probability q_c, where φ_c is its loss were c true.
Over independent rows the mean Σ v w φ / Σ v w has the expectation m = Σ v E[wφ] / Σ v E[w] and the variance
Σ v² Var[w (φ − m)] / (Σ v E[w])²: exact without class weights, with them to first order of the ratio.

A row is measured from its class k of largest q: with δ_c = φ_c − φ_k, E[φ] = φ_k + Σ q_c δ_c, where nothing cancels for
a loss that falls with p, and Var = Σ q_c (δ_c − Σ q δ)². What is believed impossible adds nothing, whatever it costs.

Source: Seillier-Moiseiwitsch, Dawid, "On Testing the Validity of Sequential Probability Forecasts", JASA 88 (1993).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine import blocks
from lossmeter.engine.arrays import Vector
from lossmeter.engine.expectation.costs import costs
from lossmeter.engine.numerics import finite_product, row_sums
from lossmeter.engine.predictions import Predictions
from lossmeter.engine.summation import total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.arrays import Matrix
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.losses import Loss


@dataclass(frozen=True, slots=True, eq=False)
class Promised:
    """A batch without its truth.

    Attributes:
        predictions: what is scored.
        belief: what says which truths are how likely; None where the predictions do.
        samples: ``Float64[n]``, v, 0 where a row is ignored.
        classes: ``Float64[classes]``, w; None where all are 1.
        threads: how many may work; None for one per core.
    """

    predictions: Predictions
    belief: Predictions | None
    samples: Vector
    classes: Vector | None
    threads: int | None

    def promises(self, losses: Mapping[str, Loss]) -> dict[str, tuple[float, float]]:
        """By name, the expectation and the standard deviation of the mean; 0 where nothing has any weight."""
        centres = dict.fromkeys(losses, 0.0)
        found = self._pass(losses, centres)
        if self.classes is not None:  # the deviation is from the mean of all rows, which is known only now
            centres = {name: expected for name, (expected, _) in found.items()}
            deviations = self._pass(losses, centres)
            found = {name: (expected, deviations[name][1]) for name, (expected, _) in found.items()}
        return found

    def _pass(
        self, losses: Mapping[str, Loss], centres: Mapping[str, float]
    ) -> dict[str, tuple[float, float]]:
        """Expectations, and deviations about the centres."""
        shape = self.predictions.values.shape
        means = {name: np.zeros(shape[0]) for name in losses}
        variances = {name: np.zeros(shape[0]) for name in losses}
        weights = np.ones(shape[0])

        def look(rows: Rows) -> None:
            outcome = self.predictions.all_classes(rows).outcome
            belief = outcome.p if self.belief is None else self.belief.all_classes(rows).outcome.p
            if self.classes is not None:
                weights[rows] = row_sums(belief * self.classes)
            for name, loss in losses.items():
                values = costs(loss, outcome)
                means[name][rows] = _mean(belief, self._weighted(values))
                if self.classes is not None:
                    values = values - centres[name]
                variances[name][rows] = _variance(belief, self._weighted(values))

        blocks.run(shape, look, self.threads, matrices=10)
        denominator = self._sum(weights, 1)
        if not denominator:
            return dict.fromkeys(losses, (0.0, 0.0))
        return {
            name: (
                self._sum(means[name], 1) / denominator,
                math.sqrt(self._sum(variances[name], 2)) / denominator,
            )
            for name in losses
        }

    def _weighted(self, values: Matrix) -> Matrix:
        return values if self.classes is None else finite_product(self.classes, values)

    def _sum(self, values: Vector, power: int) -> float:
        """Σ v^power · value."""
        return total(finite_product(self.samples**power, values), self.threads)


def _mean(belief: Matrix, values: Matrix) -> Vector:
    """E[φ] of every row, from its most probable class."""
    nearest, away = _away(belief, values)
    return nearest + row_sums(belief * away)


def _variance(belief: Matrix, values: Matrix) -> Vector:
    """Var[φ] of every row."""
    _, away = _away(belief, values)
    away = away - row_sums(belief * away)[:, None]
    return row_sums(finite_product(belief, away * away))


def _away(belief: Matrix, values: Matrix) -> tuple[Vector, Matrix]:
    """φ of the most probable class, and how far the others are from it; 0 where they cannot be."""
    nearest = values[np.arange(len(values)), np.argmax(belief, axis=1)]
    return nearest, np.where(belief > 0, values - nearest[:, None], 0)
