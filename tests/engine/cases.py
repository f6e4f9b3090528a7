"""The table that the laws run over: every registered loss, with every parameter probed over its range.

Nothing here names a loss, so a new one is under every law as soon as its file exists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmeter.engine import LOSSES, Loss, score
from lossmeter.engine.options import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lossmeter.engine import Parameter, Scores

FORMS = ("logits", "probabilities", "log_probabilities")
TRUTHS = ("hard", "soft", "mixed")


@dataclass(frozen=True)
class PerClass:
    """A parameter with a number for each class, spread between two bounds."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:g}..{self.high:g}]"

    def values(self, classes: int) -> NDArray[np.float64]:
        """``Float[classes]``, in no order that a permutation would keep."""
        spread = np.linspace(self.low, self.high, classes)
        return np.concatenate([spread[::2], spread[1::2]])


@dataclass(frozen=True)
class Case:
    """A loss, its parameters and the shape of its input."""

    loss: type[Loss]
    parameters: Mapping[str, float | PerClass] = field(default_factory=dict)
    single: bool = False

    def __str__(self) -> str:
        said = [f"{name}={value}" for name, value in self.parameters.items()]
        return "-".join([self.loss.name, *said, *(["single"] if self.single else [])])

    def wanted(self, classes: int, order: Sequence[int] | None = None) -> dict[str, Any]:
        """The loss as a request names it; per-class parameters in ``order``."""
        said: dict[str, Any] = {"name": self.loss.name}
        for name, value in self.parameters.items():
            numbers = value.values(classes) if isinstance(value, PerClass) else value
            said[name] = numbers if order is None or isinstance(numbers, float) else numbers[list(order)]
        return said

    def shape(self, n: int, classes: int) -> tuple[int, ...]:
        """The shape of the input."""
        return (n,) if self.single else (n, classes)

    def weighted_classes(self, classes: int) -> int:
        """How many class weights there are: with one number per row those of truth 0 and truth 1."""
        return 2 if self.single else classes


def probes(parameter: Parameter) -> Iterator[float | PerClass]:
    """Values of a parameter over its range: both ends where they belong to it, and some between."""
    low = parameter.minimum if parameter.minimum > -math.inf else -2.0
    high = parameter.maximum if parameter.maximum < math.inf else low + 3.0
    between = [low + share * (high - low) for share in (0.2, 0.5)]
    if parameter.scalar:
        ends = [low] * (not parameter.exclusive_minimum) + [high] * (not parameter.exclusive_maximum)
        yield from (float(value) for value in [*ends, *between] if value != parameter.default)
    if parameter.vector:
        yield PerClass(between[0], high)


def _cases() -> Iterator[Case]:
    for loss in LOSSES.values():
        known = loss.parameters()
        said: list[dict[str, float | PerClass]] = [{}]
        said += [{name: value} for name, about in known.items() for value in probes(about)]
        if len(known) > 1:
            said.append({name: list(probes(about))[-1] for name, about in known.items()})
        for parameters in said:
            yield Case(loss, parameters)
            per_class = any(isinstance(value, PerClass) for value in parameters.values())
            if loss.binary and not per_class:
                yield Case(loss, parameters, single=True)


CASES = list(_cases())
DEFAULTS = [case for case in CASES if not case.parameters]
OVER_CLASSES = [case for case in CASES if not case.loss.binary]


def random_logits(
    case: Case, rng: np.random.Generator, n: int, classes: int, spread: float = 2.0
) -> NDArray[np.float64]:
    """Logits in the shape of the case; multiples of 1/64, so that sums of a few of them are exact."""
    return np.round(rng.normal(0, spread, case.shape(n, classes)) * 64) / 64


def random_truth(
    case: Case, rng: np.random.Generator, n: int, classes: int, kind: str = "hard"
) -> NDArray[Any]:
    """Targets of a kind: hard, soft, or every other row one and the other."""
    shape = case.shape(n, classes)
    if case.loss.binary:
        hard, soft = rng.integers(0, 2, shape), rng.uniform(0.1, 0.9, shape)
    else:
        hard, soft = rng.integers(0, classes, n), rng.dirichlet(np.full(classes, 2.0), n)
    if kind == "hard":
        return hard
    if kind == "soft":
        return soft
    spread = hard if case.loss.binary else np.eye(classes)[hard]
    odd = np.arange(n) % 2 == 1
    return np.where(odd if case.single else odd[:, None], soft, spread)


def as_form(case: Case, form: str, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same predictions as logits, probabilities or log-probabilities, by the textbook's formulas."""
    if form == "logits":
        return logits
    if case.loss.binary:
        log_p = -np.log1p(np.exp(-logits))
    else:
        log_p = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    return np.exp(log_p) if form == "probabilities" else log_p


OPTIONS = (
    "plain",
    "weights",
    "label_smoothing",
    "temperature",
    "epsilon",
    "bits",
    "count",
    "sum",
    "everything",
)


def options_of(name: str, case: Case, form: str, n: int, classes: int) -> dict[str, Any]:
    """Options to score under; ``everything`` is all of them at once."""
    rng = np.random.default_rng(11)
    table: dict[str, dict[str, Any]] = {
        "plain": {},
        "weights": {
            "sample_weights": rng.uniform(0.5, 3, n),
            "class_weights": rng.uniform(0.5, 3, case.weighted_classes(classes)),
        },
        "label_smoothing": {"label_smoothing": 0.1},
        "temperature": {"temperature": 1.7} if form == "logits" else {},
        "epsilon": {"epsilon": 0.06},
        "bits": {"unit": "bits"},
        "count": {"normalization": "count", "sample_weights": rng.uniform(0.5, 3, n)},
        "sum": {"reduction": "sum"},
    }
    if name == "everything":
        return {key: value for each in table.values() for key, value in each.items() if key != "reduction"}
    return table[name]


def scored(case: Case, form: str, values: NDArray[Any], targets: NDArray[Any], **options: Any) -> Scores:  # noqa: ANN401  as score has them
    """Score with every part in the answer."""
    said = {
        "include": PARTS,
        "loss": case.wanted(values.shape[-1]),
        "targets": targets,
        form: values,
        **options,
    }
    return score(**said)


def arrays_of(scores: Scores) -> dict[str, NDArray[Any]]:
    """Every array of an answer, by name."""
    found: dict[str, Any] = {each.name: getattr(scores, each.name) for each in fields(scores)}
    breakdown = found.pop("kl")
    if breakdown is not None:
        found |= {f"kl.{each.name}": getattr(breakdown, each.name) for each in fields(breakdown)}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


ROW_BY_ROW = (
    "losses",
    "gradients",
    "contributions",
    "probabilities",
    "kl.target_entropy",
    "kl.cross_entropy",
    "kl.kl_divergence",
)


def rows_of(scores: Scores) -> dict[str, NDArray[Any]]:
    """The arrays of an answer that have one entry, or one row, per example."""
    return {name: value for name, value in arrays_of(scores).items() if name in ROW_BY_ROW}


def assert_same_bits(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> None:
    """The same arrays to the last bit, dtype and sign of zero included."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype, name
        assert value.shape == other[name].shape, name
        assert value.tobytes() == other[name].tobytes(), name


def assert_close(found: NDArray[Any] | None, expected: object, rtol: float, atol: float = 0.0) -> None:
    """The part is in the answer, and its numbers are those expected."""
    assert found is not None
    np.testing.assert_allclose(found, np.asarray(expected), rtol=rtol, atol=atol)
