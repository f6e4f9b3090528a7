"""torchmetrics as oracle of the calibration errors, which scikit-learn has not; without it these tests say so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from engine.metrics.batches import ordinary
from lossmeter.engine.metrics import METRICS

torch: Any = pytest.importorskip("torch", reason="PyTorch, which the oracle needs, is not installed")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports use what others deprecate
    classification: Any = pytest.importorskip(
        "torchmetrics.functional.classification", reason="torchmetrics, the oracle, is not installed"
    )

NORMS = {
    "l1": "expected_calibration_error",
    "max": "maximum_calibration_error",
    "l2": "root_mean_square_calibration_error",
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 5])
def test_calibration_errors(norm: str, classes: int) -> None:
    """Equal where no confidence is 1, or on an edge; they compute in float32."""
    sample = ordinary(300, classes)
    wanted = classification.multiclass_calibration_error(
        torch.tensor(sample.probabilities),
        torch.tensor(sample.targets),
        num_classes=classes,
        n_bins=10,
        norm=norm,
    )
    found = METRICS[NORMS[norm]].compute(sample.evidence())
    assert found == pytest.approx(float(wanted), rel=1e-5)


def test_kappa_and_correlation() -> None:
    """Cohen's kappa and the Matthews coefficient of many classes."""
    sample = ordinary(300, 5)
    guess, truth = torch.tensor(sample.probabilities.argmax(axis=1)), torch.tensor(sample.targets)
    answers, _ = sample.metrics()
    kappa = classification.multiclass_cohen_kappa(guess, truth, num_classes=5)
    assert answers["cohen_kappa"] == pytest.approx(float(kappa), rel=1e-5)
    correlation = classification.multiclass_matthews_corrcoef(guess, truth, num_classes=5)
    assert answers["matthews_corrcoef"] == pytest.approx(float(correlation), rel=1e-5)


def test_what_they_do_to_a_confidence_of_one() -> None:
    """They count it in a bin of its own; when they no longer do, the docstring that says so is to be changed."""
    p, truth = torch.tensor([[1.0, 0.0], [0.95, 0.05]]), torch.tensor([0, 1])
    wanted = classification.multiclass_calibration_error(p, truth, num_classes=2, n_bins=10)
    assert float(wanted) == pytest.approx(np.mean([0.0, 0.95]))
