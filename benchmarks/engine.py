"""The engine beside its peers: milliseconds and ratios, interleaved in one run, every peer with as many threads.

    python benchmarks/engine.py [--quick] [--rounds N] [--peers NAME ...] [--losses NAME ...]

For every shape, dtype, kind of truth and loss: the reduced loss alone, and the loss with its gradient by the logits.
``lossmeter`` is NumPy alone, ``fused`` the same with the compiled loops of ``lossmeter[fused]``. Peers: PyTorch (eager,
and compiled where that works), JAX (jit) and SciPy (its log_softmax; loss alone), those that are installed. Two floors:
``floor`` is ``np.exp`` of every logit, in blocks and over threads as here (and, for the gradient, one product written
into new memory), the least that any engine in NumPy does; ``copy`` is ``x.copy()``, the least that memory does. Each
figure is the best of N rounds in which all of them took turns. ``ratio`` is the time of eager PyTorch by that of
lossmeter, ``fused`` the same by that of the compiled loops: above 1 we are faster.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import blocks, score, scratch
from lossmeter.engine.blocks import cores
from lossmeter.engine.fused import use_kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHAPES = [(1_000_000, 2), (1_000_000, 10), (100_000, 100), (10_000, 1_000), (300, 32_000), (64, 50_257)]
LOSSES = ["cross_entropy", "focal", "binary_cross_entropy"]


@dataclass(frozen=True)
class Case:
    """One job: the same numbers for everyone."""

    loss: str
    soft: bool
    logits: np.ndarray[Any, Any]
    targets: np.ndarray[Any, Any]

    @property
    def title(self) -> str:
        """What the row of the table is called."""
        n, classes = self.logits.shape
        return f"{self.loss} {'soft' if self.soft else 'hard'} {self.logits.dtype} {n}x{classes}"


def cases(losses: list[str], shapes: list[tuple[int, int]]) -> Iterator[Case]:
    """Every combination, from a fixed seed."""
    rng = np.random.default_rng(2026)
    for loss in losses:
        for soft in (False, True):
            for dtype in (np.float32, np.float64):
                for n, classes in shapes:
                    logits = (3 * rng.standard_normal((n, classes))).astype(dtype)
                    yield Case(loss, soft, logits, _truth(rng, loss, logits, soft=soft))


def _truth(
    rng: np.random.Generator, loss: str, logits: np.ndarray[Any, Any], *, soft: bool
) -> np.ndarray[Any, Any]:
    if loss.startswith("binary"):
        shares = rng.random(logits.shape)
        return np.asarray(shares if soft else shares < 0.3, logits.dtype)
    if not soft:
        return np.asarray(rng.integers(0, logits.shape[1], len(logits)))
    shares = rng.random(logits.shape)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), logits.dtype)


def ours(case: Case, *, fused: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    """lossmeter, through its public face."""
    wanted: dict[str, Any] = {"logits": case.logits, "targets": case.targets, "loss": case.loss}

    def value() -> object:
        use_kernels(on=fused)
        return score(**wanted, include=()).loss

    def gradient() -> object:
        use_kernels(on=fused)
        return score(**wanted, include=["gradients"]).gradients

    return value, gradient


def floor(case: Case) -> tuple[Callable[[], object], Callable[[], object]]:
    """What nobody who exponentiates with NumPy can do without."""
    logits = case.logits

    def exponentials(rows: slice) -> np.ndarray[Any, Any]:
        sent = logits[rows]
        memory = scratch.rows("floor", len(sent), sent.shape[1], sent.dtype)
        return np.asarray(np.exp(sent, out=memory))

    def value() -> None:
        blocks.run(logits.shape, lambda rows: np.add.reduce(exponentials(rows).reshape(-1)), matrices=1)

    def gradient() -> object:
        answer = np.empty_like(logits)
        blocks.run(
            logits.shape, lambda rows: np.multiply(exponentials(rows), 0.5, out=answer[rows]), matrices=2
        )
        return answer

    return value, gradient


def torch_jobs(case: Case, *, compiled: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    """PyTorch: its own functions, focal composed of them as torchvision composes it."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(cores())
    logits, targets = torch.from_numpy(case.logits), torch.from_numpy(case.targets)

    def loss(x: Any) -> Any:  # noqa: ANN401  torch is not installed everywhere, so neither are its types
        if case.loss == "binary_cross_entropy":
            return functional.binary_cross_entropy_with_logits(x, targets)
        if case.loss == "cross_entropy":
            return functional.cross_entropy(x, targets)
        log_p = functional.log_softmax(x, dim=1)
        if case.soft:
            return -(targets * (1 - log_p.exp()) ** 2 * log_p).sum(dim=1).mean()
        log_p = log_p.gather(1, targets[:, None])[:, 0]
        return (-((1 - log_p.exp()) ** 2) * log_p).mean()

    function = torch.compile(loss) if compiled else loss

    def value() -> object:
        with torch.no_grad():
            return function(logits)

    def gradient() -> object:
        leaf = logits.detach().requires_grad_(requires_grad=True)
        function(leaf).backward()
        return leaf.grad

    return value, gradient


def jax_jobs(case: Case) -> tuple[Callable[[], object], Callable[[], object]]:
    """JAX under jit, with 64-bit numbers allowed."""
    import jax
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", val=True)
    logits, targets = jnp.asarray(case.logits), jnp.asarray(case.targets)

    def loss(x: Any) -> Any:  # noqa: ANN401  jax is not installed everywhere
        if case.loss == "binary_cross_entropy":
            return -(targets * jax.nn.log_sigmoid(x) + (1 - targets) * jax.nn.log_sigmoid(-x)).mean()
        log_p = jax.nn.log_softmax(x)
        if not case.soft:
            log_p = jnp.take_along_axis(log_p, targets[:, None], axis=1)
        shares = targets if case.soft else 1.0
        fade = (1 - jnp.exp(log_p)) ** 2 if case.loss == "focal" else 1.0
        return -(shares * fade * log_p).sum(axis=1).mean()

    value, gradient = jax.jit(loss), jax.jit(jax.grad(loss))
    return (lambda: value(logits).block_until_ready(), lambda: gradient(logits).block_until_ready())


def scipy_value(case: Case) -> Callable[[], object]:
    """SciPy's log_softmax and the mean of what it says of the truth."""
    from scipy.special import log_softmax

    rows = np.arange(len(case.logits))
    if case.soft:
        return lambda: -(log_softmax(case.logits, axis=1) * case.targets).sum(axis=1).mean()
    return lambda: -log_softmax(case.logits, axis=1)[rows, case.targets].mean()


def peers(case: Case, names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of the names that are installed and can do the job: loss alone, loss with gradient."""
    values: dict[str, Any] = {}
    gradients: dict[str, Any] = {}
    for name in names:
        module = name.partition(".")[0]
        if module in {"torch", "jax", "scipy"} and not importlib.util.find_spec(module):
            continue
        if name == "fused" and not importlib.util.find_spec("numba"):
            continue
        if name == "copy":
            values[name] = case.logits.copy
        elif name == "scipy":
            values |= {name: scipy_value(case)} if case.loss == "cross_entropy" else {}
        else:
            values[name], gradients[name] = MAKERS[name](case)
    return values, gradients


MAKERS: dict[str, Callable[[Case], tuple[Callable[[], object], Callable[[], object]]]] = {
    "lossmeter": lambda case: ours(case, fused=False),
    "fused": lambda case: ours(case, fused=True),
    "floor": floor,
    "torch": lambda case: torch_jobs(case, compiled=False),
    "torch.compile": lambda case: torch_jobs(case, compiled=True),
    "jax.jit": jax_jobs,
}
RATIOS = {"ratio": "lossmeter", "fused": "fused"}
PEERS = [*MAKERS, "scipy", "copy"]


def best_of(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best time of each in seconds; they take turns. Who fails in the first turn is left out."""
    best: dict[str, float] = {}
    for name, job in jobs.items():
        try:
            job()
        except Exception as error:  # noqa: BLE001  a compiler that is missing is no reason to stop
            print(f"# {name} left out: {type(error).__name__}")
        else:
            best[name] = float("inf")
    for _ in range(rounds):
        for name, fastest in best.items():
            start = time.perf_counter()
            jobs[name]()
            best[name] = min(fastest, time.perf_counter() - start)
    return best


def line(case: Case, kind: str, best: Mapping[str, float]) -> str:
    """A row of the table."""
    torch = best.get("torch", float("nan"))
    ratios = [f"{name} {torch / best[ours]:5.2f}" for name, ours in RATIOS.items() if ours in best]
    times = [f"{name} {1e3 * fastest:.1f}" for name, fastest in best.items()]
    return "  ".join([f"{case.title:48}", f"{kind:8}", *ratios, *times])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="two shapes, three rounds")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (7)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, help="who takes part (all)")
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES, help="which losses (all)")
    options = parser.parse_args()
    shapes = [(100_000, 10), (2_000, 1_000)] if options.quick else SHAPES
    print(f"# {cores()} threads each; milliseconds; ratio = torch (eager) / lossmeter")
    for case in cases(options.losses, shapes):
        values, gradients = peers(case, options.peers)
        for kind, jobs in (("loss", values), ("gradient", gradients)):
            best = best_of(jobs, 3 if options.quick else options.rounds)
            print(line(case, kind, best), flush=True)


if __name__ == "__main__":
    main()
