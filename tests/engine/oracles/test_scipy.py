"""SciPy as oracle: entropies, relative entropies, softmax and its relatives; and where its distance is a root."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from engine.oracles.batches import examples
from lossmeter.engine import divergence, score, softmax

BATCH = examples()
P, Q = BATCH.probabilities, BATCH.soft


@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_divergence(unit: str) -> None:
    """entropy, rel_entr and jensenshannon (whose square is the divergence), in both units."""
    base = {"nats": np.e, "bits": 2}[unit]
    ours = divergence(p=P, q=Q, unit="bits" if unit == "bits" else "nats", include=["contributions"])
    np.testing.assert_allclose(ours.p_entropy, stats.entropy(P, axis=1, base=base), rtol=1e-13)
    np.testing.assert_allclose(ours.q_entropy, stats.entropy(Q, axis=1, base=base), rtol=1e-13)
    np.testing.assert_allclose(ours.kl_divergence, stats.entropy(P, Q, axis=1, base=base), rtol=1e-12)
    np.testing.assert_allclose(ours.reverse_kl_divergence, stats.entropy(Q, P, axis=1, base=base), rtol=1e-12)
    np.testing.assert_allclose(ours.jensen_shannon, jensenshannon(P, Q, base=base, axis=1) ** 2, rtol=1e-12)
    assert ours.contributions is not None
    np.testing.assert_allclose(
        ours.contributions, special.rel_entr(P, Q) / np.log(base), rtol=1e-12, atol=1e-15
    )


def test_excluded_classes() -> None:
    """rel_entr at 0: nothing for p = 0, infinite for q = 0 < p."""
    p, q = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    ours = divergence(p=p, q=q)
    np.testing.assert_allclose(ours.kl_divergence, special.rel_entr(p, q).sum(axis=1))
    np.testing.assert_allclose(ours.jensen_shannon, jensenshannon(p, q, axis=1) ** 2)


def test_softmax() -> None:
    """softmax, log_softmax and logsumexp."""
    ours = softmax(BATCH.logits)
    np.testing.assert_allclose(ours.probabilities, special.softmax(BATCH.logits, axis=1), rtol=1e-13)
    np.testing.assert_allclose(ours.log_probabilities, special.log_softmax(BATCH.logits, axis=1), rtol=1e-12)
    np.testing.assert_allclose(ours.log_sum_exp, special.logsumexp(BATCH.logits, axis=1), rtol=1e-13)
    np.testing.assert_allclose(ours.entropy, stats.entropy(ours.probabilities, axis=1), rtol=1e-12)


def test_binary_cross_entropy() -> None:
    """log_expit, which is accurate on both sides."""
    z = np.array([-700.0, -40.0, -1e-12, 0.0, 3.0, 40.0, 700.0])
    for truth, sign in ((1.0, 1), (0.0, -1)):
        ours = score(logits=z, targets=np.full(len(z), truth), loss="binary_cross_entropy", reduction="none")
        assert ours.losses is not None
        np.testing.assert_allclose(ours.losses, -special.log_expit(sign * z), rtol=1e-15)


def test_confident_rows() -> None:
    """[40, 0, 0]: log_softmax says 0, logsumexp of the differences knows better, and so do we."""
    x = np.array([[40.0, 0.0, 0.0]])
    assert special.log_softmax(x, axis=1)[0, 0] == 0
    assert score(logits=x, targets=[0]).loss == pytest.approx(special.logsumexp(x[0] - x[0, 0]), rel=1e-15)
