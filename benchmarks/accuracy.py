"""The worst errors of the engine beside those of its peers, against 80 digits: a table in Markdown.

    python benchmarks/accuracy.py [--rows N]

An error is told in units of 2⁻⁵³ of the truth (2⁻²⁴ for float32): 1 is the best there is, 9e15 (1.7e7) means that
nothing is right, 0 was returned or worse. Peers: PyTorch, SciPy, scikit-learn and JAX with optax, those that are
installed, each through the function that it offers for the job; ``–`` where it offers none. The named cases are
followed by the worst of N random rows of every hard kind.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lossmeter.engine import divergence, score, softmax

# The truth is that of the tests, which are no part of the package; this script's own folder has another ``engine``.
sys.path[0] = str(Path(__file__).parents[1] / "tests")

from engine.accuracy import exact  # noqa: E402  for that reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

Row: TypeAlias = "NDArray[Any]"
Jobs: TypeAlias = "Mapping[str, Callable[[Row, Row], float]]"
"""What a library returns for a job: from one row, or from two."""

PEERS = ("lossmeter", "PyTorch", "optax / JAX", "SciPy", "scikit-learn")


def truths() -> Mapping[str, Callable[[Row, Row], Any]]:
    """Every job in 80 digits; the target is class 0, the second row is another distribution."""

    def of_target(phi: exact.Phi) -> Callable[[Row, Row], Any]:
        def value(x: Row, _: Row) -> Any:  # noqa: ANN401  an mpf
            model = exact.softmax(x)
            return phi(model.p[0], model.not_p[0], model.log_p[0])[0]

        return value

    return {
        "cross-entropy": of_target(exact.cross_entropy),
        "its gradient at the target": lambda x, _: -exact.softmax(x).not_p[0],
        "focal, γ = 2": of_target(exact.focal(2.0)),
        "binary, truth 1": lambda x, _: exact.log1p(exact.exp(-exact.mpf(float(x[0])))),
        "binary, truth 0": lambda x, _: exact.log1p(exact.exp(exact.mpf(float(x[0])))),
        "entropy": lambda x, _: exact.entropy(exact.softmax(x)),
        "KL of logits": lambda x, y: exact.relative_entropy(exact.softmax(x), exact.softmax(y)),
        "JS of logits": lambda x, y: exact.jensen_shannon(exact.softmax(x), exact.softmax(y)),
        "KL of probabilities": lambda x, y: exact.relative_entropy(exact.as_sent(x), exact.as_sent(y)),
        "JS of probabilities": lambda x, y: exact.jensen_shannon(exact.as_sent(x), exact.as_sent(y)),
    }


def engine() -> Jobs:
    """What is measured."""

    def loss(x: Row, name: str = "cross_entropy") -> float:
        return float(score(logits=x[None], targets=[0], loss=name, include=()).loss or 0)

    def gradient(x: Row) -> float:
        gradients = score(logits=x[None], targets=[0]).gradients
        assert gradients is not None
        return float(gradients[0, 0])

    def binary(x: Row, truth: float) -> float:
        scored = score(logits=x[:1], targets=np.array([truth]), loss="binary_cross_entropy", include=())
        return float(scored.loss or 0)

    return {
        "cross-entropy": lambda x, _: loss(x),
        "its gradient at the target": lambda x, _: gradient(x),
        "focal, γ = 2": lambda x, _: loss(x, "focal"),
        "binary, truth 1": lambda x, _: binary(x, 1),
        "binary, truth 0": lambda x, _: binary(x, 0),
        "entropy": lambda x, _: softmax(x[None]).entropy[0],
        "KL of logits": lambda x, y: divergence(p_logits=x[None], q_logits=y[None]).kl_divergence[0],
        "JS of logits": lambda x, y: divergence(p_logits=x[None], q_logits=y[None]).jensen_shannon[0],
        "KL of probabilities": lambda x, y: divergence(p=x[None], q=y[None]).kl_divergence[0],
        "JS of probabilities": lambda x, y: divergence(p=x[None], q=y[None]).jensen_shannon[0],
    }


def torch_jobs() -> Jobs:
    """PyTorch's; focal loss composed as its documentation says, divergences from kl_div."""
    import torch

    f: Any = torch.nn.functional

    def tensor(x: Row) -> Any:  # noqa: ANN401  torch is not typed here
        return torch.tensor(x)

    def log_p(x: Row) -> Any:  # noqa: ANN401
        return torch.log_softmax(tensor(x), dim=0)

    def gradient(x: Row) -> float:
        leaf = tensor(x)[None].requires_grad_()
        (found,) = torch.autograd.grad(f.cross_entropy(leaf, torch.tensor([0])), leaf)
        return float(found[0, 0])

    def focal(x: Row) -> float:
        plain = f.cross_entropy(tensor(x)[None], torch.tensor([0]))
        return float((1 - torch.exp(-plain)) ** 2 * plain)

    def binary(x: Row, truth: float) -> float:
        z = tensor(x[:1])
        return float(f.binary_cross_entropy_with_logits(z, torch.full_like(z, truth)))

    return {
        "cross-entropy": lambda x, _: float(f.cross_entropy(tensor(x)[None], torch.tensor([0]))),
        "its gradient at the target": lambda x, _: gradient(x),
        "focal, γ = 2": lambda x, _: focal(x),
        "binary, truth 1": lambda x, _: binary(x, 1),
        "binary, truth 0": lambda x, _: binary(x, 0),
        "entropy": lambda x, _: float(torch.distributions.Categorical(logits=tensor(x)).entropy()),
        "KL of logits": lambda x, y: float(f.kl_div(log_p(y), log_p(x), reduction="sum", log_target=True)),
        "KL of probabilities": lambda x, y: float(f.kl_div(tensor(y).log(), tensor(x), reduction="sum")),
    }


def jax_jobs() -> Jobs:
    """JAX's and optax's."""
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003  its own way of saying so
    jnp: Any = jax.numpy

    def loss(x: Any) -> Any:  # noqa: ANN401
        return optax.softmax_cross_entropy_with_integer_labels(x[None], jnp.array([0]))[0]

    def binary(x: Row, truth: float) -> float:
        return float(optax.sigmoid_binary_cross_entropy(jnp.array(x[0]), jnp.array(truth, x.dtype)))

    def log_p(x: Row) -> Any:  # noqa: ANN401
        return jax.nn.log_softmax(jnp.array(x))

    return {
        "cross-entropy": lambda x, _: float(loss(jnp.array(x))),
        "its gradient at the target": lambda x, _: float(jax.grad(loss)(jnp.array(x))[0]),
        "binary, truth 1": lambda x, _: binary(x, 1),
        "binary, truth 0": lambda x, _: binary(x, 0),
        "KL of logits": lambda x, y: float(
            optax.losses.kl_divergence_with_log_targets(log_p(y)[None], log_p(x)[None])[0]
        ),
        "KL of probabilities": lambda x, y: float(
            optax.losses.kl_divergence(jnp.log(jnp.array(y))[None], jnp.array(x)[None])[0]
        ),
    }


def scipy_jobs() -> Jobs:
    """SciPy's."""
    from scipy import special, stats
    from scipy.spatial.distance import jensenshannon

    def relative(x: Row, y: Row) -> float:
        return float(special.rel_entr(x, y).sum())

    return {
        "cross-entropy": lambda x, _: -special.log_softmax(x)[0],
        "its gradient at the target": lambda x, _: special.softmax(x)[0] - 1,
        "binary, truth 1": lambda x, _: -special.log_expit(x[0]),
        "binary, truth 0": lambda x, _: -special.log_expit(-x[0]),
        "entropy": lambda x, _: stats.entropy(special.softmax(x)),
        "KL of logits": lambda x, y: relative(special.softmax(x), special.softmax(y)),
        "JS of logits": lambda x, y: jensenshannon(special.softmax(x), special.softmax(y)) ** 2,
        "KL of probabilities": relative,
        "JS of probabilities": lambda x, y: jensenshannon(x, y) ** 2,
    }


def sklearn_jobs() -> Jobs:
    """scikit-learn's: from probabilities, which it clips."""
    from scipy.special import expit
    from scipy.special import softmax as of_logits
    from sklearn.metrics import log_loss

    def loss(p: Row, truth: int) -> float:
        return float(log_loss([truth], p[None], labels=range(len(p))))

    return {
        "cross-entropy": lambda x, _: loss(of_logits(x), 0),
        "binary, truth 1": lambda x, _: loss(np.array([expit(-x[0]), expit(x[0])]), 1),
        "binary, truth 0": lambda x, _: loss(np.array([expit(-x[0]), expit(x[0])]), 0),
    }


def peers() -> Mapping[str, Jobs]:
    """Those that are installed."""
    wanted = {
        "PyTorch": ("torch", torch_jobs),
        "optax / JAX": ("optax", jax_jobs),
        "SciPy": ("scipy", scipy_jobs),
        "scikit-learn": ("sklearn", sklearn_jobs),
    }
    found = {name: make() for name, (module, make) in wanted.items() if importlib.util.find_spec(module)}
    return {"lossmeter": engine(), **found}


def named() -> Iterator[tuple[str, str, Row, Row]]:
    """A job, how its row is written, and the rows."""
    none = np.zeros(0)
    for text in ("[10, 0, 0]", "[20, 0, 0]", "[40, 0, 0]", "[600, 0, 0]", "[85.3, 0.1, 3.7]"):
        for job in ("cross-entropy", "its gradient at the target", "focal, γ = 2", "entropy"):
            yield job, text, np.array([float(each) for each in text.strip("[]").split(",")]), none
    yield "cross-entropy", "[20, 0, 0] float32", np.array([20, 0, 0], np.float32), none
    yield "cross-entropy", "50 257 classes, +30", raised(), none
    yield "binary, truth 1", "z = 40", np.array([40.0]), none
    yield "binary, truth 0", "z = −40", np.array([-40.0]), none
    a = np.array([0.3, -0.2, 0.1])
    yield "KL of logits", "differing by 1e-9", a, a + 1e-9 * np.array([1, 0, -1])
    yield "KL of logits", "[40, 0, 0], [42, 0, 0]", np.array([40.0, 0, 0]), np.array([42.0, 0, 0])
    p = np.array([0.25, 0.75])
    for power in (-26, -36):
        yield "KL of probabilities", f"differing by 2^{power}", p, p + 2.0**power * np.array([1, -1])


def raised() -> Row:
    """A vocabulary's worth of logits, the first of them far above."""
    x = np.random.default_rng(0).normal(size=50_257)
    x[0] = x.max() + 30
    return x


def at_random(count: int) -> Iterator[tuple[str, str, Row, Row]]:
    """Rows of every hard kind: gaps from 1e-12 to 700, near and far pairs, both dtypes."""
    random = np.random.default_rng(2026)
    jobs = truths()
    for _ in range(count):
        dtype = np.float64 if random.random() < 0.5 else np.float32
        x = random.normal(size=random.integers(2, 9)) * 10.0 ** random.uniform(-6, 1.5)
        x[0] += random.choice([0, 1]) * 10.0 ** random.uniform(-12, 2.8 if dtype is np.float64 else 1.9)
        y = x + random.normal(size=len(x)) * 10.0 ** random.uniform(-9, 1)
        p = random.integers(1, 2**18, len(x)) / 2.0**22
        p[0] += 1 - p.sum()
        share = 2.0 ** -random.integers(2, 22) * np.eye(len(x))[random.permutation(len(x))[:2]]
        q = np.abs(p + np.minimum(share[0], p) - np.minimum(share[1], p))
        q = q if q.sum() == 1 else p[::-1]
        for job in jobs:
            pair = (p, q) if job.endswith("probabilities") else (x, y)
            yield job, f"worst of {count} random rows", pair[0].astype(dtype), pair[1].astype(dtype)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300, help="random rows of each job (default: 300)")
    rows = parser.parse_args().rows
    worst = measure(rows)
    print("| quantity | of | " + " | ".join(PEERS) + " |")
    print("|---|---|" + "--:|" * len(PEERS))
    for (job, text), errors in worst.items():
        cells = [said(errors[peer]) if peer in errors else "–" for peer in PEERS]
        print(f"| {job} | {text} | " + " | ".join(cells) + " |")


def measure(rows: int) -> Mapping[tuple[str, str], Mapping[str, float]]:
    """The worst error of every peer for every job and kind of row."""
    exactly, libraries = truths(), peers()
    worst: dict[tuple[str, str], dict[str, float]] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for job, text, first, second in [*named(), *at_random(rows)]:
            truth = exactly[job](first, second)
            line = worst.setdefault((job, text), {})
            for name, jobs in libraries.items():
                if job in jobs:
                    error = exact.units(float(jobs[job](first, second)), truth, first.dtype.type)
                    line[name] = max(line.get(name, 0.0), error)
    return worst


def said(error: float) -> str:
    """An error in few letters."""
    if not math.isfinite(error):
        return "wrong"
    return f"{error:.1f}" if error < 100 else f"{error:.0e}".replace("e+", "e").replace("e0", "e")


if __name__ == "__main__":
    main()
