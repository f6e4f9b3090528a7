"""What the pass sees of a batch, against evidence made row by row, whatever loss is scored beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.metrics.observed import observed
from lossmeter.engine import make_loss, merge, score
from lossmeter.engine.fused import kernels, use_kernels
from lossmeter.engine.observation import Wanted, observe
from lossmeter.engine.options import PARTS, Options
from lossmeter.engine.preparation import Sent
from lossmeter.engine.state.layout import FORECAST_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lossmeter.engine.evidence import Evidence, Groups

RNG = np.random.default_rng(21)
SMOOTHED = Options(include=(), label_smoothing=0.1)


def evidence(name: str, values: Any, targets: Any, loss: str = "cross_entropy", **wanted: Any) -> Evidence:  # noqa: ANN401
    """The evidence of a batch, seen beside any loss."""
    weights, options = wanted.pop("weights", None), wanted.pop("options", Options(include=()))
    sent = Sent(name, np.asarray(values), targets, None, weights, None)
    found = observe(sent, make_loss(loss), options, Wanted(**wanted)).evidence
    assert found is not None
    return found


def assert_equal(found: Evidence, want: Evidence, rel: float = 1e-12) -> None:
    """Field by field, as near as the rounding of probabilities lets them be."""
    for name in ("weight", "log_loss", "brier", "truth_squares"):
        assert getattr(found, name) == pytest.approx(getattr(want, name), rel=rel, abs=1e-15), name
    for name in ("count", "soft", "infinite", "top_k", "classes", "bins", "k"):
        assert getattr(found, name) == pytest.approx(getattr(want, name), rel=1e-12), name
    np.testing.assert_allclose(found.truth, want.truth, rtol=1e-12)
    np.testing.assert_allclose(found.forecast, want.forecast, rtol=rel, atol=1e-13)
    if not want.infinite:
        np.testing.assert_allclose(found.loss_of_class, want.loss_of_class, rtol=rel, atol=1e-12)
    assert (found.groups is None) == (want.groups is None)
    if found.groups is not None and want.groups is not None:
        assert_same_groups(found.groups, want.groups, rel)


def assert_same_groups(found: Groups, want: Groups, rel: float) -> None:
    """Cells of no weight may be there or not."""
    kept = want.cell_weight > 0
    want = replace(
        want,
        cell_group=want.cell_group[kept],
        cell_class=want.cell_class[kept],
        cell_weight=want.cell_weight[kept],
    )
    for name in ("predicted", "bin", "count", "cell_group", "cell_class"):
        np.testing.assert_array_equal(getattr(found, name), getattr(want, name), name)
    for name in ("weight", "confidence", "cell_weight"):
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), rtol=rel, atol=1e-13)
    if found.forecast is not None:
        assert want.forecast is not None
        np.testing.assert_allclose(found.forecast, want.forecast, rtol=rel, atol=1e-13)


def forms(p: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
    """The same probabilities in every form."""
    return [("probabilities", p), ("log_probabilities", np.log(p)), ("logits", np.log(p) + 3)]


@pytest.mark.parametrize("classes", [2, 3, 10, 11, 70, 300])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_evidence_is_that_of_the_rows(classes: int, *, weighted: bool, soft: bool) -> None:
    """Every form, any number of classes and bins, with weights and without, hard and soft."""
    n = 60
    p = RNG.dirichlet(np.full(classes, 0.5), n) * 0.99 + 0.01 / classes
    p /= p.sum(axis=1, keepdims=True)
    targets = RNG.dirichlet(np.ones(classes), n) if soft else RNG.integers(0, classes, n)
    weights = RNG.random(n) * (RNG.random(n) < 0.9) if weighted else None
    for bins, k in ((15, 5), (1, 1), (10, 2)):
        want = observed(p, targets, weights, bins=bins, k=k)
        for name, values in forms(p):
            found = evidence(name, values, targets, weights=weights, bins=bins, k=k)
            assert_equal(found, replace(want, top_k=found.top_k) if soft else want)


@pytest.mark.parametrize("loss", ["focal", "squared_error", "kl_divergence", "jensen_shannon"])
def test_the_loss_beside_it_changes_nothing(loss: str) -> None:
    """Evidence is of the predictions and the truth as sent, whatever is scored and however it is smoothed."""
    p, targets = RNG.dirichlet(np.ones(4), 40), RNG.integers(0, 4, 40)
    mixed = np.eye(4)[targets]
    mixed[:20] = RNG.dirichlet(np.ones(4), 20)
    for truth in (targets, mixed):
        plain = evidence("probabilities", p, truth)
        for options in (Options(include=()), SMOOTHED, Options(include=("gradients", "kl"), epsilon=0.01)):
            assert_equal(evidence("probabilities", p, truth, loss, options=options), plain)


def test_gradients_are_what_they_are_unwatched() -> None:
    """Watching leaves every array of the answer as it was, to the bit."""
    for classes in (3, 80):
        for dtype in (np.float32, np.float64):
            said: dict[str, Any] = {
                "logits": RNG.normal(size=(50, classes)).astype(dtype),
                "targets": [1] * 50,
            }
            alone, watched = score(**said, include=PARTS), score(**said, include=(*PARTS, "state"))
            for name in ("losses", "gradients", "contributions", "probabilities"):
                np.testing.assert_array_equal(getattr(alone, name), getattr(watched, name), name)
            assert alone.loss == watched.loss


def test_values_as_sent_decide_what_rounding_hides() -> None:
    """Logits that differ in their last digit, by more than a probability can tell, are not equal."""
    logits = np.array([[1000.0, 1000.0 + 2e-13, 0.0], [-800.0, -799.0, 0.0], [0.0, 1e-17, 1e-18]])
    found = evidence("logits", logits, [1, 0, 0], k=1)
    assert found.groups is not None
    assert sorted(found.groups.predicted.tolist()) == [1, 1, 2]
    assert found.top_k == 1  # of [0, 1e-17, 1e-18] the second is the largest
    ranks = [evidence("logits", logits, [0, 0, 0], k=k).top_k for k in (1, 2, 3)]
    assert ranks == [0, 1, 3]


@pytest.mark.parametrize("classes", [4, 80])
def test_ties_go_to_the_lower_index(classes: int) -> None:
    """Of equal values the first is predicted, and is ranked first."""
    p = np.full((4, classes), 1 / classes)
    found = [evidence("probabilities", p, [0, 1, 2, 3], k=k).top_k for k in (1, 2, 4)]
    assert found == [1, 2, 4]
    groups = evidence("probabilities", p, [0, 1, 2, 3]).groups
    assert groups is not None
    assert groups.predicted.tolist() == [0]


@pytest.mark.parametrize("bins", [1, 3, 10, 15, 25, 1000])
def test_edges_belong_to_the_bin_below(bins: int) -> None:
    """A confidence of exactly (k+1)/bins, as a double, lies in bin k; 1.0 lies in the last."""
    edges = np.arange(1, bins + 1) / bins
    edges = edges[edges >= 0.5]
    found = evidence("probabilities", np.stack([edges, 1 - edges], axis=1), [0] * len(edges), bins=bins)
    above = evidence("probabilities", np.stack([1 - edges, edges], axis=1), [0] * len(edges), bins=bins)
    for groups in (found.groups, above.groups):
        assert groups is not None
        assert groups.bin.tolist() == [round(edge * bins) - 1 for edge in edges]


@pytest.mark.parametrize("soft", [False, True])
def test_two_classes_from_one_number(*, soft: bool) -> None:
    """Float[n] is p = [1 − p₁, p₁], in every form."""
    p = RNG.random(60) * 0.98 + 0.01
    p[:2] = 0.5
    targets = RNG.random(60) if soft else RNG.integers(0, 2, 60)
    truth = np.stack([1 - targets, targets], axis=1) if soft else targets
    want = observed(np.stack([1 - p, p], axis=1), truth)
    for name, values in (
        ("probabilities", p),
        ("log_probabilities", np.log(p)),
        ("logits", np.log(p / (1 - p))),
    ):
        values[:2] = 0 if name == "logits" else values[:2]
        found = evidence(name, values, targets, "binary_cross_entropy")
        assert_equal(found, replace(want, top_k=found.top_k) if soft else want)


def test_labels_have_sums_but_no_predicted_class() -> None:
    """Float[n, labels] has a state with the truth and the forecast of each label, and no evidence."""
    logits, targets = RNG.normal(size=(30, 3)), RNG.integers(0, 2, (30, 3)).astype(float)
    weights = RNG.random(30)
    scores = [
        score(
            logits=logits[rows],
            targets=targets[rows],
            sample_weights=weights[rows],
            loss="binary_cross_entropy",
            include=["losses", "state"],
            slices={"x": ["a"] * len(logits[rows])},
        )
        for rows in (slice(None), slice(7), slice(7, None))
    ]
    whole, *parts = (each.state for each in scores)
    assert whole is not None
    assert whole == merge([part for part in parts if part is not None])
    assert whole.evidence() is None
    assert scores[0].losses is not None
    assert float(whole.moments.y) == pytest.approx(scores[0].losses.sum())
    truth = whole.tables["classes"].column(2).floats()
    np.testing.assert_allclose(truth, weights @ targets)
    forecast = whole.tables["forecasts"].column(0).floats() * 2.0**-FORECAST_BITS
    np.testing.assert_allclose(forecast, weights @ (1 / (1 + np.exp(-logits))), rtol=1e-13, atol=1e-13)


def test_evidence_of_a_state_is_that_of_its_batch() -> None:
    """All but the rows survives the state."""
    p, targets = RNG.dirichlet(np.ones(5), 50), RNG.integers(0, 5, 50)
    state = score(probabilities=p, targets=targets, include=["state"]).state
    assert state is not None
    found = state.evidence()
    assert found is not None
    assert found.rows is None
    assert_equal(found, observed(p, targets, kept=False))


@pytest.mark.parametrize("classes", [2, 9, 80])
@pytest.mark.parametrize("weights", [None, "whole", "any"])
def test_compiled_loops_see_the_same(classes: int, weights: str | None) -> None:
    """Where Numba is installed, loops note what NumPy does; ties and ignored rows included."""
    if kernels() is None:
        pytest.skip("the extra `fused` is not installed here; `make test` runs this where it is")
    n = 3000
    logits = np.round(RNG.normal(size=(n, classes)) * 2, 1)
    targets = np.where(RNG.random(n) < 0.1, -1, RNG.integers(0, classes, n))
    w = {None: None, "whole": RNG.integers(0, 2, n), "any": RNG.random(n)}[weights]
    for dtype in (np.float32, np.float64):
        sent = Sent("logits", logits.astype(dtype), targets, -1, w, None)
        found = []
        for on in (True, False):
            use_kernels(on=on)
            try:
                found.append(
                    observe(sent, make_loss("cross_entropy"), Options(include=()), Wanted(k=2)).evidence
                )
            finally:
                use_kernels(on=True)
        assert found[0] is not None
        assert found[1] is not None
        assert_equal(found[0], found[1], rel=1e-9 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_sure_rows_do_not_overflow(compiled: bool) -> None:  # noqa: FBT001
    """The bits of ten thousand probabilities of 1 would not fit into 64; the sums are whole all the same."""
    n = 10_000
    sent = Sent("probabilities", np.tile([1.0, 0.0], (n, 1)), np.zeros(n, int), None, None, None)
    use_kernels(on=compiled)
    try:
        found = observe(sent, make_loss("cross_entropy"), Options(include=()), Wanted()).evidence
    finally:
        use_kernels(on=True)
    assert found is not None
    assert found.groups is not None
    assert found.forecast.tolist() == [n, 0]
    assert found.groups.forecast is not None
    assert found.groups.forecast.tolist() == [[n, 0]]


def test_rows_are_kept_when_wanted() -> None:
    """Without those that are ignored, as they were predicted."""
    p, targets = RNG.dirichlet(np.ones(3), 20), RNG.integers(-1, 3, 20)
    sent = Sent("probabilities", p, targets, -1, None, None)
    found = observe(sent, make_loss("cross_entropy"), Options(include=()), Wanted(rows=True)).evidence
    assert found is not None
    assert found.rows is not None
    kept = targets >= 0
    np.testing.assert_array_equal(found.rows.probabilities, p[kept])
    np.testing.assert_array_equal(found.rows.targets, targets[kept])
    np.testing.assert_array_equal(found.rows.predicted, p[kept].argmax(axis=1))
    assert found.rows.weights is None


def test_certain_misses_are_named() -> None:
    """They are counted, in all and by class; losses of other classes stay finite."""
    p = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]
    found = evidence("probabilities", p, [1, 1, 0])
    assert (found.log_loss, found.infinite) == (np.inf, 1)
    assert found.loss_of_class.tolist() == [pytest.approx(np.log(2)), np.inf, 0]
    soft = evidence("probabilities", p, [[0.5, 0.5, 0], [0, 1, 0], [0.5, 0.5, 0]])
    assert (soft.infinite, soft.loss_of_class[1]) == (1, np.inf)
