from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.comparison.windows import window
from lossmeter.engine.comparison import report
from lossmeter.engine.metrics import compute
from lossmeter.errors import InvalidInputError


def test_report_says_what_the_state_knows() -> None:
    """Loss, interval, quantiles, metrics and slices come from the state alone."""
    state = window(0)
    found = report(state, level=0.9)
    evidence = state.evidence()
    assert evidence is not None
    assert found.loss == pytest.approx(state.moments.mean, rel=1e-15)
    assert found.interval is not None
    assert found.interval[0] < (found.loss or 0) < found.interval[1]
    assert (found.count, found.ignored, found.units, found.level) == (2000, 0, 2000, 0.9)
    assert found.metrics["accuracy"] == compute(evidence, ["accuracy"])[0]["accuracy"]
    assert "state does not keep" in found.undefined["roc_auc"] or found.undefined["roc_auc"]
    assert found.quantiles["0.5"] == state.quantile(0.5)
    assert list(found.quantiles.values()) == sorted(found.quantiles.values())
    assert found.slices is not None
    parts = found.slices["region"].values()
    assert sum(each.count for each in parts) == 2000
    assert sum(each.weight * (each.loss or 0) for each in parts) == pytest.approx(2000 * (found.loss or 0))
    assert all(0 <= (each.accuracy or 0) <= 1 for each in parts)


def test_wider_levels_are_wider_intervals() -> None:
    """A larger share of samples needs a longer interval."""
    state = window(1)
    low, wide = (report(state, level=each).interval for each in (0.5, 0.999))
    assert low is not None
    assert wide is not None
    assert wide[0] < low[0] < low[1] < wide[1]


def test_states_without_rows_or_spread_say_so() -> None:
    """Nothing is made up: no loss without rows, no interval of one row."""
    empty = report(window(2, 3, targets=[-1, -1, -1], ignore_index=-1))
    assert (empty.loss, empty.interval, empty.standard_error) == (None, None, None)
    assert (empty.count, empty.ignored, empty.quantiles) == (0, 3, {})
    assert empty.caution
    one = report(window(3, 1))
    assert (one.interval, one.standard_error) == (None, None)
    assert "one row" in (one.caution or "")


def test_infinite_losses_stay_visible() -> None:
    """The mean is infinite, the finite mean beside it is not, and the count is told."""
    said: dict[str, Any] = {"logits": [[0.0, -np.inf, 0.0]] * 2 + [[0.0, 0.0, 0.0]] * 20, "targets": [1] * 22}
    found = report(window(4, 22, **said))
    assert (found.loss, found.infinite) == (np.inf, 2)
    assert found.finite_loss == pytest.approx(np.log(3))


def test_labels_have_no_metrics_of_classes() -> None:
    """Float[n, labels] has a loss and slices, and a reason for what it has not."""
    truth = np.random.default_rng(5).integers(0, 2, (60, 3))
    found = report(window(5, 60, loss="binary_cross_entropy", targets=truth))
    assert found.metrics == {}
    assert found.undefined
    assert found.slices is not None
    assert found.slices["region"]["north"].accuracy is None


def test_level_is_checked() -> None:
    """A level outside of [0.5, 1) is refused."""
    with pytest.raises(InvalidInputError, match="level"):
        report(window(6, 10), level=95)
