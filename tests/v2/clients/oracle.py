"""What the answers must be, in the textbook's formulas and float64; NumPy alone, for every client's environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TARGETS = np.array([0, 3, 1, 3, 2])
CLASSES = 4


def logits() -> Array:
    """A small batch, ``Float[5, 4]``, of numbers that are the same in every float."""
    return np.random.default_rng(7).integers(-40, 40, (len(TARGETS), CLASSES)) / 8.0


def probabilities(z: Array) -> Array:
    """Softmax of the rows."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def losses(z: Array, targets: Array = TARGETS) -> Array:
    """Cross-entropy of every row, in nats."""
    return np.asarray(-np.log(probabilities(z)[np.arange(len(z)), targets]))


def gradients(z: Array, targets: Array = TARGETS) -> Array:
    """Of the sum of the losses by the logits."""
    return probabilities(z) - np.eye(z.shape[1])[targets]


def check(name: str, found: Array | None, expected: Array, *, exact: bool) -> None:
    """Fail unless an output is what it must be; not exact: to the precision of float32."""
    assert found is not None, f"{name} is missing"
    assert found.shape == expected.shape, (name, found.shape)
    assert found.dtype == (np.float64 if exact else np.float32), (name, found.dtype)
    np.testing.assert_allclose(
        found, expected, rtol=1e-12 if exact else 2e-5, atol=1e-14 if exact else 1e-6, err_msg=name
    )
