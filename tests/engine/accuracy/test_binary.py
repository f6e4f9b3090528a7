"""Binary losses and their parts against 80 digits: any logit, any truth, any temperature, both precisions.

A gradient at a soft truth is a difference, t(1−p)φ′ − (1−t)pφ′, and is measured against the larger of its two terms. A
KL of nearly equal distributions is of second order: what a few units of p make of it is |p−t|/max(p, 1−p) of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.accuracy import exact, rows
from lossmeter.engine import score

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

BOUND = 8.0
PHIS: list[tuple[dict[str, Any], exact.Phi]] = [
    ({"name": "binary_cross_entropy"}, exact.cross_entropy),
    ({"name": "binary_focal", "gamma": 0.5}, exact.focal(0.5)),
    ({"name": "binary_focal", "gamma": 2.0}, exact.focal(2.0)),
    ({"name": "binary_focal", "gamma": 5.0}, exact.focal(5.0)),
]


@dataclass(frozen=True)
class Label:
    """One logit or probability, its truth and how it is scored."""

    value: float
    truth: float
    dtype: Any
    temperature: float = 1.0

    def scores(self, form: str = "logits", **options: Any) -> Any:  # noqa: ANN401  as score has them
        """Scored alone, as a sum."""
        sent = np.array([self.value], self.dtype)
        truth = np.array([self.truth], self.dtype)
        said = {form: sent, "temperature": self.temperature, "reduction": "sum", **options}
        return score(targets=truth, **said)

    def model(self) -> exact.Distribution:
        """What was given to "true" and to "false"."""
        return exact.softmax([float(self.dtype(self.value)), 0.0], self.temperature)


@st.composite
def truths(draw: DrawFn) -> float:
    """0 and 1, what is near them, and what is not."""
    small = draw(rows.powers(-25, -0.31))
    return draw(st.sampled_from([0.0, 1.0, 0.5, small, 1 - small]))


@st.composite
def labels(draw: DrawFn) -> Label:
    """Logits of 1e-12 to 700 times the temperature; as far as the probabilities are normal numbers."""
    dtype: Any = draw(rows.dtypes)
    temperature = draw(rows.temperatures)
    size = draw(st.one_of(rows.powers(-12, 2.84), st.floats(0, 8), st.integers(0, 690).map(float)))
    value = draw(rows.signs) * min(size, 80 if dtype is np.float32 else 690) * temperature
    return Label(float(dtype(value)), float(dtype(draw(truths()))), dtype, temperature)


def check(label: Label, found: Any, phi: exact.Phi, model: exact.Distribution) -> None:  # noqa: ANN401  Scores
    """The loss and the gradient by the logit."""
    t = exact.mpf(label.truth)
    parts = [phi(*each) for each in zip(model.p, model.not_p, model.log_p, strict=True)]
    loss = sum(exact.times(share, part[0]) for share, part in zip((t, 1 - t), parts, strict=True))
    pulls = [t * parts[0][1] * model.not_p[0], (1 - t) * parts[1][1] * model.not_p[1]]
    by_logit = (pulls[0] - pulls[1]) / exact.mpf(label.temperature)
    larger = max(map(abs, pulls)) / exact.mpf(label.temperature)
    assert exact.units(found.losses[0], loss, label.dtype) <= BOUND
    assert exact.units(found.gradients[0], by_logit, label.dtype, larger) <= BOUND


@rows.thoroughly
@given(label=labels(), which=st.sampled_from(PHIS))
@example(Label(-25.3, 1.0, np.float64, 0.37), PHIS[0])
@example(Label(-25.3, 1.0, np.float64, 0.37), PHIS[2])
@example(Label(-2048.7635030737792, 1.0, np.float64, 3.3), PHIS[2])
@example(Label(-3.9761750869494326, 0.0, np.float64), PHIS[2])
def test_losses_and_gradients(label: Label, which: tuple[dict[str, Any], exact.Phi]) -> None:
    """Binary cross-entropy and binary focal loss are good to 8 units."""
    loss, phi = which
    found = label.scores(loss=loss, include=("losses", "gradients"))
    check(label, found, phi, label.model())


@rows.thoroughly
@given(label=labels())
@example(Label(0.3, 1e-20, np.float64))
def test_entropies_and_divergences(label: Label) -> None:
    """The entropy of the truth is good to 8 units, its divergence from the model to as many of what p allows."""
    model, t = label.model(), exact.mpf(label.truth)
    truth = exact.as_sent([label.truth])
    both = exact.Distribution([t, 1 - t], [1 - t, t], [truth.log_p[0], exact.log1p(-t) if t < 1 else 0])
    kl = label.scores(loss="binary_cross_entropy", include=("kl",)).kl
    assert exact.units(kl.target_entropy[0], exact.entropy(both), label.dtype) <= BOUND
    allowed = abs(model.p[0] - t) / max(model.p)
    divergence = exact.relative_entropy(both, model)
    assert exact.units(kl.kl_divergence[0], divergence, label.dtype, allowed) <= BOUND


@given(p=st.floats(1e-30, 1 - 2**-53), truth=truths())
def test_probabilities(p: float, truth: float) -> None:
    """Probabilities are taken at their word: the loss of p, and its slope by p, to 8 units."""
    label = Label(p, truth, np.float64)
    found = label.scores("probabilities", loss="binary_cross_entropy")
    given_, t = exact.mpf(p), exact.mpf(truth)
    loss = -exact.times(t, exact.log(given_)) - exact.times(1 - t, exact.log1p(-given_))
    slopes = [-t / given_, (1 - t) / (1 - given_)]
    assert exact.units(found.losses[0], loss, np.float64) <= BOUND
    assert exact.units(found.gradients[0], sum(slopes), np.float64, max(map(abs, slopes))) <= BOUND


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [7, 63, 64, 5000])
@pytest.mark.parametrize("hard", [True, False])
def test_rows_of_many_labels(dtype: Any, count: int, hard: bool) -> None:  # noqa: ANN401, FBT001  a NumPy scalar type
    """The sum over the labels of a row adds no more than its own rounding."""
    rng = np.random.default_rng(count)
    sent = (rng.normal(size=(1, count)) * 5).astype(dtype)
    truth = (rng.integers(0, 2, (1, count)) if hard else rng.random((1, count))).astype(dtype)
    found = score(logits=sent, targets=truth, loss="binary_cross_entropy", reduction="none").losses
    assert found is not None
    whole = exact.mpf(0)
    for z, t in zip(exact.read(sent[0]), exact.read(truth[0]), strict=True):
        whole += (1 - t) * z + exact.log1p(exact.exp(-z))
    assert exact.units(found[0], whole, dtype) <= BOUND
