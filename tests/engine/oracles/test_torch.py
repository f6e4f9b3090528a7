"""PyTorch as oracle: values and gradients of every semantic that the contract shares with it, and those it does not.

torch is the extra of the same name, too large for every machine that runs the checks; without it these tests say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.oracles.batches import CLASSES, N, examples
from lossmeter.engine import divergence, score, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

torch: Any = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

BATCH = examples()
IGNORED = -100

reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.1])
weightings = pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])


def tensor(array: NDArray[Any], *, leaf: bool = False) -> Any:  # noqa: ANN401  torch is not typed here
    """A copy for torch; a leaf is what gradients are taken with respect to."""
    return torch.tensor(array, requires_grad=leaf)


def close(returned: NDArray[Any] | float | None, wanted: Any, rtol: float = 1e-12) -> None:  # noqa: ANN401
    """Equal but for rounding."""
    assert returned is not None
    np.testing.assert_allclose(returned, wanted.detach().numpy(), rtol=rtol, atol=1e-15)


def same(scores: Any, loss: Any, leaf: Any, per_row: Any = None) -> None:  # noqa: ANN401
    """The loss (or losses) of both, and the gradients of their sum."""
    if loss.ndim:
        close(scores.losses, loss)
        assert scores.loss is None
    else:
        close(scores.loss, loss)
    if per_row is not None:
        close(scores.losses, per_row)
    (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    close(scores.gradients, gradient, rtol=1e-11)


class TestCrossEntropy:
    """torch.nn.functional.cross_entropy."""

    @reductions
    @smoothings
    @weightings
    def test_class_indices(self, reduction: Any, smoothing: float, weighted: bool) -> None:  # noqa: ANN401, FBT001
        """Weights, smoothing and reductions of hard targets; with both, the mean divides by other weights."""
        x = tensor(BATCH.logits, leaf=True)
        weights = BATCH.class_weights if weighted else None
        theirs = torch.nn.functional.cross_entropy(
            x,
            tensor(BATCH.hard),
            weight=None if weights is None else tensor(weights),
            reduction=reduction,
            label_smoothing=smoothing,
        )
        ours = score(
            logits=BATCH.logits,
            targets=BATCH.hard,
            class_weights=weights,
            reduction=reduction,
            label_smoothing=smoothing,
        )
        if reduction == "mean" and weighted and smoothing:
            # torch divides by Σ w_y of the labels as they were, the contract by the weight of the smoothed truth.
            unsmoothed = BATCH.class_weights[BATCH.hard].sum()
            assert ours.loss is not None
            assert ours.loss * ours.denominator / unsmoothed == pytest.approx(theirs.item(), rel=1e-13)
            assert ours.denominator != pytest.approx(unsmoothed)
            return
        same(ours, theirs, x)

    @reductions
    @smoothings
    @weightings
    def test_distributions(self, reduction: Any, smoothing: float, weighted: bool) -> None:  # noqa: ANN401, FBT001
        """Soft targets: torch divides by the number of rows, here normalization="count"."""
        x = tensor(BATCH.logits, leaf=True)
        weights = BATCH.class_weights if weighted else None
        theirs = torch.nn.functional.cross_entropy(
            x,
            tensor(BATCH.soft),
            weight=None if weights is None else tensor(weights),
            reduction=reduction,
            label_smoothing=smoothing,
        )
        ours = score(
            logits=BATCH.logits,
            targets=BATCH.soft,
            class_weights=weights,
            reduction=reduction,
            label_smoothing=smoothing,
            normalization="count",
        )
        same(ours, theirs, x)

    @reductions
    def test_ignore_index(self, reduction: Any) -> None:  # noqa: ANN401
        """Ignored rows leave loss, gradient and denominator."""
        targets = BATCH.hard.copy()
        targets[[1, 4]] = IGNORED
        x = tensor(BATCH.logits, leaf=True)
        theirs = torch.nn.functional.cross_entropy(
            x, tensor(targets), weight=tensor(BATCH.class_weights), reduction=reduction, ignore_index=IGNORED
        )
        ours = score(
            logits=BATCH.logits,
            targets=targets,
            class_weights=BATCH.class_weights,
            reduction=reduction,
            ignore_index=IGNORED,
        )
        same(ours, theirs, x)

    def test_temperature(self) -> None:
        """Temperature divides the logits; gradients are with respect to the logits as sent."""
        x = tensor(BATCH.logits, leaf=True)
        theirs = torch.nn.functional.cross_entropy(x / 2.5, tensor(BATCH.hard))
        same(score(logits=BATCH.logits, targets=BATCH.hard, temperature=2.5), theirs, x)

    def test_masks(self) -> None:
        """A masked class with a hard target."""
        logits = BATCH.logits.copy()
        logits[:, 4] = np.where(BATCH.hard == 4, logits[:, 4], -np.inf)
        x = tensor(logits, leaf=True)
        same(
            score(logits=logits, targets=BATCH.hard),
            torch.nn.functional.cross_entropy(x, tensor(BATCH.hard)),
            x,
        )

    def test_single_precision(self) -> None:
        """float32 as torch has it, to its own rounding."""
        logits = BATCH.logits.astype(np.float32)
        x = tensor(logits, leaf=True)
        theirs = torch.nn.functional.cross_entropy(x, tensor(BATCH.hard), reduction="none")
        ours = score(logits=logits, targets=BATCH.hard, reduction="none")
        assert ours.losses is not None
        assert ours.losses.dtype == np.float32
        close(ours.losses, theirs, rtol=1e-5)


@reductions
@weightings
def test_nll_loss(reduction: Any, weighted: bool) -> None:  # noqa: ANN401, FBT001
    """nll_loss of log-probabilities, and its gradient with respect to them."""
    log_p = torch.log_softmax(tensor(BATCH.logits), dim=1).detach().requires_grad_()
    weights = BATCH.class_weights if weighted else None
    theirs = torch.nn.functional.nll_loss(
        log_p, tensor(BATCH.hard), weight=None if weights is None else tensor(weights), reduction=reduction
    )
    ours = score(
        log_probabilities=log_p.detach().numpy(),
        targets=BATCH.hard,
        class_weights=weights,
        reduction=reduction,
    )
    same(ours, theirs, log_p)


class TestBinary:
    """torch.nn.functional.binary_cross_entropy_with_logits and binary_cross_entropy."""

    @reductions
    @pytest.mark.parametrize("truth", ["hard", "soft"])
    def test_labels(self, reduction: Any, truth: str) -> None:  # noqa: ANN401
        """One weight and one pos_weight per label; a row's loss is the sum over its labels."""
        targets = (BATCH.soft > 0.2).astype(float) if truth == "hard" else BATCH.soft
        x = tensor(BATCH.logits, leaf=True)
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            x,
            tensor(targets),
            weight=tensor(BATCH.class_weights),
            pos_weight=tensor(BATCH.alpha),
            reduction="none",
        )
        ours = score(
            logits=BATCH.logits,
            targets=targets,
            loss={"name": "binary_cross_entropy", "pos_weight": BATCH.alpha},
            class_weights=BATCH.class_weights,
            reduction=reduction,
        )
        rows = each.sum(dim=1)
        # torch's mean divides by N · labels whatever they weigh; the contract by the weights.
        by_weight = rows.sum() / (N * BATCH.class_weights.sum())
        same(ours, {"none": rows, "sum": rows.sum(), "mean": by_weight}[reduction], x, per_row=rows)

    def test_mean_over_elements(self) -> None:
        """Without weights the mean is torch's, over all N · labels elements."""
        targets = (BATCH.soft > 0.2).astype(float)
        x = tensor(BATCH.logits, leaf=True)
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(x, tensor(targets))
        ours = score(logits=BATCH.logits, targets=targets, loss="binary_cross_entropy")
        same(ours, theirs, x)
        by_rows = score(
            logits=BATCH.logits, targets=targets, loss="binary_cross_entropy", normalization="count"
        )
        assert by_rows.loss == pytest.approx(CLASSES * theirs.item(), rel=1e-13)

    def test_single_labels(self) -> None:
        """Float[n], with a sample weight for each."""
        z, targets = BATCH.logits[:, 0], (BATCH.soft[:, 0] > 0.2).astype(float)
        x = tensor(z, leaf=True)
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(
            x, tensor(targets), weight=tensor(BATCH.sample_weights), reduction="sum"
        )
        ours = score(
            logits=z,
            targets=targets,
            loss="binary_cross_entropy",
            sample_weights=BATCH.sample_weights,
            reduction="sum",
        )
        same(ours, theirs, x)

    def test_probabilities(self) -> None:
        """binary_cross_entropy of probabilities as sent."""
        p = tensor(BATCH.probabilities, leaf=True)
        theirs = torch.nn.functional.binary_cross_entropy(p, tensor(BATCH.soft))
        ours = score(probabilities=BATCH.probabilities, targets=BATCH.soft, loss="binary_cross_entropy")
        same(ours, theirs, p)

    @pytest.mark.parametrize("alpha", [None, 0.25])
    @pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
    def test_focal(self, alpha: float | None, gamma: float) -> None:
        """torchvision.ops.sigmoid_focal_loss, composed from its published formula."""
        targets = (BATCH.soft > 0.2).astype(float)
        x, t = tensor(BATCH.logits, leaf=True), tensor(targets)
        p = torch.sigmoid(x)
        plain = torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
        each = plain * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
        if alpha is not None:
            each = each * (alpha * t + (1 - alpha) * (1 - t))
        loss = {"name": "binary_focal", "gamma": gamma} | ({} if alpha is None else {"alpha": alpha})
        ours = score(logits=BATCH.logits, targets=targets, loss=loss)
        same(ours, each.mean(), x, per_row=each.sum(dim=1))


def kl(t: Any, log_p: Any) -> Any:  # noqa: ANN401
    """KL(t‖p) of every row, as torch.nn.functional.kl_div has it."""
    return torch.nn.functional.kl_div(log_p, t, reduction="none").sum(dim=1)


def reverse(t: Any, log_p: Any) -> Any:  # noqa: ANN401
    """KL(p‖t)."""
    return (log_p.exp() * (log_p - t.log())).sum(dim=1)


def jensen_shannon(t: Any, log_p: Any) -> Any:  # noqa: ANN401
    """½ KL(t‖m) + ½ KL(p‖m)."""
    p = log_p.exp()
    log_m = ((t + p) / 2).log()
    return (torch.xlogy(t, t) - t * log_m + p * (log_p - log_m)).sum(dim=1) / 2


def squared(t: Any, log_p: Any) -> Any:  # noqa: ANN401
    """Σ (p−t)²: MSE of the softmax, times the number of classes."""
    return torch.nn.functional.mse_loss(log_p.exp(), t, reduction="none").sum(dim=1)


def each_class(phi: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Σ_c t_c φ(log p_c)."""
    return lambda t, log_p: (t * phi(log_p)).sum(dim=1)


COMPOSED: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
    "focal": ({"name": "focal", "gamma": 2.0}, each_class(lambda log_p: -((1 - log_p.exp()) ** 2) * log_p)),
    "focal-0.5": (
        {"name": "focal", "gamma": 0.5},
        each_class(lambda log_p: -((1 - log_p.exp()) ** 0.5) * log_p),
    ),
    "focal-alpha": (
        {"name": "focal", "gamma": 1.0, "alpha": BATCH.alpha},
        lambda t, log_p: (-tensor(BATCH.alpha) * t * (1 - log_p.exp()) * log_p).sum(dim=1),
    ),
    "poly1": (
        {"name": "poly1", "epsilon": 1.5},
        each_class(lambda log_p: -log_p + 1.5 * (1 - log_p.exp())),
    ),
    "gce": (
        {"name": "generalized_cross_entropy", "q": 0.7},
        each_class(lambda log_p: (1 - log_p.exp() ** 0.7) / 0.7),
    ),
    "kl": ("kl_divergence", kl),
    "reverse_kl": ("reverse_kl", reverse),
    "jensen_shannon": ("jensen_shannon", jensen_shannon),
    "squared_error": ("squared_error", squared),
}
"""Losses that torch does not have, composed of what it has; autograd finds their gradients."""


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("truth", ["hard", "soft"])
@pytest.mark.parametrize("form", ["logits", "probabilities", "log_probabilities"])
def test_composed(name: str, truth: str, form: str) -> None:
    """Every loss and its gradient with respect to logits, probabilities and log-probabilities."""
    if name == "reverse_kl" and truth == "hard":
        assert score(logits=BATCH.logits, targets=BATCH.hard, loss=name).loss == np.inf
        return
    loss, compose = COMPOSED[name]
    t = tensor(np.eye(CLASSES)[BATCH.hard] if truth == "hard" else BATCH.soft)
    log_p = torch.log_softmax(tensor(BATCH.logits), dim=1)
    starts = {"logits": tensor(BATCH.logits), "probabilities": log_p.exp(), "log_probabilities": log_p}
    leaf = starts[form].detach().clone().requires_grad_()
    reads = {
        "logits": lambda x: torch.log_softmax(x, dim=1),
        "probabilities": torch.log,
        "log_probabilities": lambda x: x,
    }
    rows = compose(t, reads[form](leaf))
    targets = BATCH.hard if truth == "hard" else BATCH.soft
    sent: dict[str, Any] = {form: leaf.detach().numpy()}
    weighted = rows * tensor(BATCH.sample_weights)
    ours = score(**sent, targets=targets, loss=loss, sample_weights=BATCH.sample_weights)
    same(ours, weighted.sum() / BATCH.sample_weights.sum(), leaf, per_row=weighted)


def test_focal_of_nothing_is_cross_entropy() -> None:
    """γ = 0, to the bit; torchvision's formula agrees to rounding."""
    focal = score(logits=BATCH.logits, targets=BATCH.hard, loss={"name": "focal", "gamma": 0})
    plain = score(logits=BATCH.logits, targets=BATCH.hard)
    assert focal.losses is not None
    assert plain.losses is not None
    assert focal.losses.tobytes() == plain.losses.tobytes()


class TestDivergence:
    """torch.nn.functional.kl_div and torch.distributions."""

    def test_batchmean(self) -> None:
        """kl_div with reduction="batchmean" is the mean over rows; "mean" there divides by the classes too."""
        log_p, t = torch.log_softmax(tensor(BATCH.logits), dim=1), tensor(BATCH.soft)
        ours = score(logits=BATCH.logits, targets=BATCH.soft, loss="kl_divergence")
        close(ours.loss, torch.nn.functional.kl_div(log_p, t, reduction="batchmean"))
        assert ours.loss is not None
        theirs = torch.nn.functional.kl_div(log_p, t, reduction="none").mean().item()
        assert ours.loss / CLASSES == pytest.approx(theirs)

    def test_log_target(self) -> None:
        """log_target=True: both sides as logarithms, here both as logits."""
        other = BATCH.logits[::-1].copy()
        log_p, log_q = torch.log_softmax(tensor(BATCH.logits), dim=1), torch.log_softmax(tensor(other), dim=1)
        ours = divergence(p_logits=BATCH.logits, q_logits=other, include=["contributions"])
        each = torch.nn.functional.kl_div(log_q, log_p, reduction="none", log_target=True)
        close(ours.contributions, each)
        close(ours.kl_divergence, each.sum(dim=1))
        backward = torch.nn.functional.kl_div(log_p, log_q, reduction="none", log_target=True).sum(dim=1)
        close(ours.reverse_kl_divergence, backward)
        entropy = torch.distributions.Categorical(logits=tensor(BATCH.logits)).entropy()
        close(ours.p_entropy, entropy)
        close(ours.cross_entropy, entropy + each.sum(dim=1))

    def test_softmax(self) -> None:
        """softmax, log_softmax and logsumexp."""
        ours = softmax(BATCH.logits, temperature=0.5)
        x = tensor(BATCH.logits) / 0.5
        close(ours.probabilities, torch.softmax(x, dim=1))
        close(ours.log_probabilities, torch.log_softmax(x, dim=1))
        close(ours.log_sum_exp, torch.logsumexp(x, dim=1))


class TestDifferences:
    """Where torch and the contract part: both numbers."""

    def test_soft_targets_and_weights(self) -> None:
        """The same truth as one-hot: torch divides by N, the contract by the same Σ w as for indices."""
        one_hot = np.eye(CLASSES)[BATCH.hard]
        indices = score(logits=BATCH.logits, targets=BATCH.hard, class_weights=BATCH.class_weights)
        rows = score(logits=BATCH.logits, targets=one_hot, class_weights=BATCH.class_weights)
        theirs = torch.nn.functional.cross_entropy(
            tensor(BATCH.logits), tensor(one_hot), weight=tensor(BATCH.class_weights)
        ).item()
        assert rows.loss == indices.loss
        assert rows.loss is not None
        assert theirs == pytest.approx(rows.loss * rows.denominator / N)
        assert theirs != pytest.approx(rows.loss)

    def test_all_ignored(self) -> None:
        """torch: nan. Here 0, with a denominator of 0 that says so."""
        targets = np.full(N, IGNORED)
        theirs = torch.nn.functional.cross_entropy(
            tensor(BATCH.logits), tensor(targets), ignore_index=IGNORED
        )
        ours = score(logits=BATCH.logits, targets=targets, ignore_index=IGNORED)
        assert np.isnan(theirs.item())
        assert (ours.loss, ours.denominator, ours.count, ours.ignored) == (0, 0, 0, N)

    def test_no_weight_at_all(self) -> None:
        """torch: nan. Here 0."""
        weights = np.zeros(CLASSES)
        theirs = torch.nn.functional.cross_entropy(
            tensor(BATCH.logits), tensor(BATCH.hard), weight=tensor(weights)
        )
        assert np.isnan(theirs.item())
        assert score(logits=BATCH.logits, targets=BATCH.hard, class_weights=weights).loss == 0

    def test_nan_in_an_ignored_row(self) -> None:
        """torch: the gradient of that row is nan. Here 0."""
        logits, targets = BATCH.logits.copy(), BATCH.hard.copy()
        logits[2], targets[2] = np.nan, IGNORED
        x = tensor(logits, leaf=True)
        theirs = torch.nn.functional.cross_entropy(x, tensor(targets), ignore_index=IGNORED)
        (gradient,) = torch.autograd.grad(theirs, x)
        ours = score(logits=logits, targets=targets, ignore_index=IGNORED)
        assert ours.loss == pytest.approx(theirs.item())
        assert ours.gradients is not None
        assert gradient[2].isnan().all()
        assert not ours.gradients[2].any()

    def test_mask_under_a_soft_target(self) -> None:
        """0 · ∞. torch: nan. Here what is masked costs nothing where the truth is 0."""
        logits, one_hot = np.array([[1.0, 2.0, -np.inf]]), np.array([[1.0, 0.0, 0.0]])
        theirs = torch.nn.functional.cross_entropy(tensor(logits), tensor(one_hot))
        assert np.isnan(theirs.item())
        assert score(logits=logits, targets=one_hot).loss == pytest.approx(np.log1p(np.e), rel=1e-15)

    def test_mask_under_smoothing(self) -> None:
        """torch: infinite. Here smoothing spreads over the classes that are not masked."""
        logits = np.array([[1.0, 2.0, -np.inf]])
        theirs = torch.nn.functional.cross_entropy(tensor(logits), tensor(np.array([0])), label_smoothing=0.1)
        ours = score(logits=logits, targets=[0], label_smoothing=0.1)
        without = score(logits=logits[:, :2], targets=[0], label_smoothing=0.1)
        assert theirs.item() == np.inf
        assert ours.loss == pytest.approx(without.loss, rel=1e-14)

    def test_confident_rows(self) -> None:
        """[40, 0, 0]: torch says 0, loss and gradient. Here both have all their digits."""
        logits = np.array([[40.0, 0.0, 0.0]])
        x = tensor(logits, leaf=True)
        theirs = torch.nn.functional.cross_entropy(x, tensor(np.array([0])))
        (gradient,) = torch.autograd.grad(theirs, x)
        ours = score(logits=logits, targets=[0])
        assert ours.gradients is not None
        assert theirs.item() == 0
        assert gradient[0, 0].item() == 0
        assert ours.loss == pytest.approx(8.496708510583178e-18, rel=1e-15)
        assert ours.gradients[0, 0] == pytest.approx(-8.496708510583178e-18, rel=1e-15)

    def test_confident_labels(self) -> None:
        """Z = −40, truth 0: torch's binary loss is 0; here e^−40."""
        z, truth = np.array([-40.0]), np.array([0.0])
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(tensor(z), tensor(truth))
        assert theirs.item() == 0
        ours = score(logits=z, targets=truth, loss="binary_cross_entropy")
        assert ours.loss == pytest.approx(np.exp(-40.0), rel=1e-15)

    def test_nearly_equal_distributions(self) -> None:
        """KL of logits that differ by 1e-9: torch's is of the wrong size, or negative; here ½ Var(w)."""
        a = np.array([[0.3, -0.2, 0.1]])
        b = a + 1e-9 * np.array([[1.0, 0.0, -1.0]])
        log_p, log_q = (torch.log_softmax(tensor(each), dim=1) for each in (a, b))
        theirs = torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True).item()
        p, w = np.exp(a[0]) / np.exp(a[0]).sum(), b[0] - a[0]
        half_variance = (p @ w**2 - (p @ w) ** 2) / 2
        assert divergence(p_logits=a, q_logits=b).kl_divergence[0] == pytest.approx(half_variance, rel=1e-8)
        assert abs(theirs - half_variance) > 0.1 * half_variance

    def test_certain_misses(self) -> None:
        """P = 0 at the truth. torch's binary loss stops at 100; here it is infinite unless epsilon is asked for."""
        p, truth = np.array([0.0]), np.array([1.0])
        theirs = torch.nn.functional.binary_cross_entropy(tensor(p), tensor(truth))
        assert theirs.item() == 100
        assert score(probabilities=p, targets=truth, loss="binary_cross_entropy").loss == np.inf
        clipped = score(probabilities=p, targets=truth, loss="binary_cross_entropy", epsilon=np.exp(-100))
        assert clipped.loss == pytest.approx(100)

    def test_focal_at_certainty(self) -> None:
        """γ < 1 where p rounds to 1: torchvision's gradient is nan; here it is finite."""
        x = tensor(np.array([40.0]), leaf=True)
        p = torch.sigmoid(x)
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(x, torch.ones_like(x)) * (1 - p) ** 0.5
        (gradient,) = torch.autograd.grad(theirs.sum(), x)
        assert not np.isfinite(gradient.item())
        ours = score(
            logits=np.array([40.0]), targets=np.array([1.0]), loss={"name": "binary_focal", "gamma": 0.5}
        )
        assert ours.gradients is not None
        assert ours.gradients[0] == pytest.approx(-1.5 * np.exp(-60), rel=1e-14)
