from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from scipy.spatial.distance import jensenshannon

from lossmeter.engine.comparison.drift import Drift, drift


def found(reference: list[float], current: list[float], rows: tuple[float, float] = (100, 200)) -> Drift:
    """The drift between two mixes."""
    answer = drift(np.array(reference), np.array(current), rows)
    assert answer is not None
    return answer


def test_divergences_are_scipy_s() -> None:
    """KL is of current from reference, Jensen–Shannon symmetric, PSI the sum of both KL."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    answer = found([5, 3, 2], [20, 30, 50])
    assert answer.kl_divergence == pytest.approx(np.sum(special.rel_entr(q, p)), rel=1e-14)
    assert answer.jensen_shannon == pytest.approx(jensenshannon(p, q) ** 2, rel=1e-13)
    assert answer.psi == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=1e-14)
    assert answer.psi_by_class == pytest.approx((q - p) * np.log(q / p), rel=1e-14, abs=0)
    assert answer.psi_by_class[1] == 0


def test_near_mixes_keep_their_digits() -> None:
    """A PSI of 1e-24 is right to 1e-3, where the naive formula has only noise."""
    answer = found([0.25, 0.75], [0.25 + 2.0**-40, 0.75 - 2.0**-40])
    assert answer.psi == pytest.approx(2.0**-80 * (4 + 4 / 3), rel=1e-3)


def test_classes_that_one_window_lacks_are_named() -> None:
    """An empty cell makes PSI infinite, says where, and leaves a smoothed PSI and Jensen–Shannon finite."""
    answer = found([50, 50, 0, 0], [100, 0, 100, 0])
    assert answer.psi == answer.kl_divergence == np.inf
    assert (answer.absent_in_reference, answer.absent_in_current) == ([2], [1])
    assert np.isfinite([answer.psi_smoothed, answer.jensen_shannon]).all()
    assert answer.psi_by_class[[0, 3]] == pytest.approx([0, 0])
    assert answer.psi_by_chance == pytest.approx(2 * (1 / 100 + 1 / 200))


def test_chance_alone_makes_as_much_psi_as_is_said() -> None:
    """Samples of one mix have the mean PSI that ``psi_by_chance`` tells."""
    rng = np.random.default_rng(0)
    mix = [0.5, 0.3, 0.2]
    drawn = [
        drift(1.0 * rng.multinomial(400, mix), 1.0 * rng.multinomial(800, mix), (400, 800))
        for _ in range(2000)
    ]
    mean = np.mean([each.psi for each in drawn if each is not None])
    assert drawn[0] is not None
    assert mean == pytest.approx(drawn[0].psi_by_chance, rel=0.1)


def test_no_weight_is_no_mix() -> None:
    """A window without weight has no mix."""
    assert drift(np.zeros(2), np.ones(2), (0, 2)) is None
