r"""Vector scaling: a scale and a bias for each class, z_c = a_c x_c + b_c, with the least log loss.

The weighted mean log loss is convex in (a, b). Where classes are absent, or can be told apart without an error, it
falls without end; so a ridge is added, λ/2 (Σ(α_c − α₀)² + Σb_c²) with λ = 1e-6, α = a · (the spread of the logits) and
α₀ its value under the best single temperature (0 where there is none): parameters that the data do not speak of stay
there. It costs at most λ/2 ‖θ − θ₀‖² of mean loss and does not depend on the unit of the logits.

Newton's method with conjugate gradients for its linear systems: no matrix of the parameters is made, and every product
with the Hessian is one pass over the blocks.

Source: Guo, Pleiss, Sun, Weinberger, ICML 2017 (diagonal matrices there); Nocedal, Wright, "Numerical Optimization",
2nd ed. 2006, algorithm 7.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.arrays import Vector
from lossmeter.engine.numerics import finite_product, row_sums

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Mask, Matrix
    from lossmeter.engine.blocks import Rows
    from lossmeter.engine.calibration.sample import Sample

RIDGE = 1e-6
FLAT = 1e-9
"""The gradient norm at which the optimum is reached; the loss is then within its square over the curvature."""
MOST_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class VectorFit:
    """The scaling with the least ridged log loss.

    Attributes:
        scales: ``Float[classes]``, a.
        biases: ``Float[classes]``, b, whose sum is 0.
        iterations: Newton steps.
        gradient_norm: of the ridged mean log loss in (α, b), the largest component.
    """

    scales: Vector
    biases: Vector
    iterations: int
    gradient_norm: float

    def scaled(self, logits: Matrix) -> Matrix:
        """``Float64[n, classes]``, a x + b; masked classes stay masked."""
        with np.errstate(all="ignore"):
            return np.where(logits == -np.inf, -np.inf, logits * self.scales + self.biases)


def fit_vector(sample: Sample, inverse_temperature: float) -> VectorFit:
    """The scales and biases.

    Args:
        sample: the rows; some have a weight.
        inverse_temperature: 1/T of the best single temperature, 0 where the logits say nothing.
    """
    problem = _Problem(sample, inverse_temperature)
    theta = problem.start
    value, gradient = problem.value_and_gradient(theta)
    steps = 0
    while (norm := float(np.max(np.abs(gradient)))) > FLAT and steps < MOST_STEPS:
        steps += 1
        direction = _conjugate_gradients(problem, theta, gradient)
        length, slope = 1.0, float(gradient @ direction)
        while length > 1e-10:  # noqa: PLR2004  rounding has hidden the descent
            there = theta + length * direction
            value_there, gradient_there = problem.value_and_gradient(there)
            if value_there <= value + 1e-4 * length * slope or np.max(np.abs(gradient_there)) < norm / 2:
                break
            length /= 2
        else:
            break
        theta, value, gradient = there, value_there, gradient_there
    scales, biases = problem.parameters(theta)
    return VectorFit(scales, biases, steps, float(np.max(np.abs(gradient))))


class _Problem:
    """The ridged mean log loss of θ = (α, b), ``Float[2 · classes]``."""

    def __init__(self, sample: Sample, inverse_temperature: float) -> None:
        self._sample = sample
        self._classes = sample.logits.shape[1]
        weight, squares = (math.fsum(each) for each in zip(*sample.over_blocks(self._sizes), strict=True))
        self._weight = weight
        self._spread = math.sqrt(squares / weight) or 1.0
        self.start = np.zeros(2 * self._classes)
        self.start[: self._classes] = inverse_temperature * self._spread

    def parameters(self, theta: Vector) -> tuple[Vector, Vector]:
        """(a, b), free of −0."""
        return theta[: self._classes] / self._spread + 0.0, theta[self._classes :] + 0.0

    def value_and_gradient(self, theta: Vector) -> tuple[float, Vector]:
        """The objective and its gradient."""
        parts = self._sample.over_blocks(lambda rows: self._look(rows, theta))
        away = theta - self.start
        loss = math.fsum(part[0] for part in parts) / self._weight + RIDGE / 2 * float(away @ away)
        return loss, np.add.reduce([part[1] for part in parts]) / self._weight + RIDGE * away

    def curvature(self, theta: Vector, direction: Vector) -> Vector:
        """The Hessian at θ times a direction."""
        parts = self._sample.over_blocks(lambda rows: self._bend(rows, theta, direction))
        return np.add.reduce(parts) / self._weight + RIDGE * direction

    def _sizes(self, rows: Rows) -> tuple[float, float]:
        x, _ = self._load(rows, 1.0)
        weights = self._sample.weights(rows)
        centred = x - np.mean(x, axis=1, keepdims=True)
        return float(np.add.reduce(weights)), float(np.add.reduce(weights * np.mean(centred**2, axis=1)))

    def _load(self, rows: Rows, spread: float) -> tuple[Matrix, Mask]:
        """Logits in units of ``spread``, 0 where masked."""
        x = self._sample.batch.predictions.load(rows, 0.0)
        masked = x == -np.inf
        return np.where(masked, 0, x) / spread, masked

    def _chances(self, rows: Rows, theta: Vector) -> tuple[Matrix, Matrix, Matrix, Vector]:
        """x, z − max z, softmax z, and log Σ e^{z − max z}."""
        x, masked = self._load(rows, self._spread)
        z = np.where(masked, -np.inf, x * theta[: self._classes] + theta[self._classes :])
        z -= np.max(z, axis=1, keepdims=True)
        masses = np.exp(z)
        whole = row_sums(masses)
        return x, z, masses / whole[:, None], np.log(whole)

    def _look(self, rows: Rows, theta: Vector) -> tuple[float, Vector]:
        x, z, chances, log_whole = self._chances(rows, theta)
        shares, weights = self._sample.shares(rows), self._sample.weights(rows)
        loss = weights * log_whole - row_sums(finite_product(shares, z))
        pull = weights[:, None] * chances - shares
        return float(np.add.reduce(loss)), self._by_parameter(x, pull)

    def _bend(self, rows: Rows, theta: Vector, direction: Vector) -> Vector:
        x, _, chances, _ = self._chances(rows, theta)
        moved = x * direction[: self._classes] + direction[self._classes :]
        moved -= row_sums(chances * moved)[:, None]
        return self._by_parameter(x, self._sample.weights(rows)[:, None] * chances * moved)

    @staticmethod
    def _by_parameter(x: Matrix, by_logit: Matrix) -> Vector:
        return np.concatenate([np.add.reduce(x * by_logit, axis=0), np.add.reduce(by_logit, axis=0)])


def _conjugate_gradients(problem: _Problem, theta: Vector, gradient: Vector) -> Vector:
    """Newton's direction, as exact as it is worth so far from the optimum."""
    norm = float(np.linalg.norm(gradient))
    good_enough = min(0.1, math.sqrt(norm)) * norm
    direction, residual = np.zeros_like(gradient), gradient.copy()
    heading, square = -residual, float(residual @ residual)
    for _ in range(4 * len(gradient)):
        bent = problem.curvature(theta, heading)
        length = square / float(heading @ bent)
        direction = direction + length * heading
        residual = residual + length * bent
        square, before = float(residual @ residual), square
        if math.sqrt(square) <= good_enough:
            break
        heading = -residual + square / before * heading
    return direction
