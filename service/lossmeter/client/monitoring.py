"""The endpoints of monitoring as calls: metrics, calibration, expectation, and what is made of states.

A state is what a scoring leaves behind (``include=["state"]``), and adds up with others. It is text here, to be stored
as it is; a state as a JSON object, or of ``lossmeter.engine``, is taken as well. Answers are documents with the
members as attributes, in the service's words; their arrays are NumPy's.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, Unpack, runtime_checkable

from lossmeter.client import answers, messages, scoring
from lossmeter.client.batch import Batch
from lossmeter.client.results import Answer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps

Binning: TypeAlias = Literal["equal_width", "equal_mass"]


@runtime_checkable
class Packable(Protocol):
    """A state of the engine's."""

    def pack(self) -> bytes:
        """It in bytes."""


State: TypeAlias = str | Mapping[str, Any] | Packable


class Predictions(TypedDict, total=False):
    """What a classifier said, exactly one of the first three, and of whom; ``score`` says what the fields mean."""

    logits: ArrayLike
    probabilities: ArrayLike
    log_probabilities: ArrayLike
    targets: ArrayLike
    class_weights: ArrayLike | str | Mapping[str, Any]
    sample_weights: ArrayLike
    ignore_index: int
    tolerance: float


class Measuring(Predictions, total=False):
    """How a batch is measured.

    Keys:
        temperature: logits are divided by it.
        metrics: which; by default all that apply.
        bins: how many bins of confidence.
        binning: bins of the same width, or of the same weight.
        k: of top-k accuracy.
        slices: a string per row for each dimension.
        cluster: what each row belongs to.
        include: ``["state"]`` for a state.
    """

    temperature: float
    metrics: Collection[str]
    bins: int
    binning: Binning
    k: int
    slices: Mapping[str, ArrayLike]
    cluster: ArrayLike
    include: Collection[str]


class Calibrating(Predictions, total=False):
    """How a calibration is fitted and judged: ``method`` is ``temperature`` or ``vector``."""

    method: Literal["temperature", "vector"]
    bins: int
    binning: Binning


class Expecting(Predictions, total=False):
    """Which losses are expected, and by whose belief.

    Keys:
        losses: names, or objects with parameters.
        temperature: logits are divided by it before they are scored.
        belief_temperature: what they are divided by where they say what is true; by default the same.
    """

    losses: Sequence[str | Mapping[str, Any]]
    temperature: float
    belief_temperature: float


class Comparing(TypedDict, total=False):
    """Two states; or the losses of two models on the same rows, with their weights and clusters."""

    reference: State
    current: State
    reference_losses: ArrayLike
    current_losses: ArrayLike
    sample_weights: ArrayLike
    cluster: ArrayLike
    threshold: float
    level: float


def metrics(session: Session, **fields: Unpack[Measuring]) -> Steps[Answer]:
    """Measure a batch: ``metrics`` by name, and in ``undefined`` why those that are missing are."""
    return (
        yield from _measure(session, "/v1/metrics", {**fields, **scoring.encoding(fields.get("include"))})
    )


def calibrate(session: Session, **fields: Unpack[Calibrating]) -> Steps[Answer]:
    """The temperature, or the scales and biases, that held-out predictions ask for."""
    return (yield from _measure(session, "/v1/calibrate", fields))


def expect(session: Session, **fields: Unpack[Expecting]) -> Steps[Answer]:
    """What losses the model itself expects; with targets, how far off it was."""
    return (yield from _measure(session, "/v1/expect", fields))


def merge(session: Session, states: Iterable[State]) -> Steps[str]:
    """The state of all the rows behind these."""
    return (yield from scoring.merge(session, [_sent(state) for state in states]))


def report(
    session: Session, state: State, *, level: float | None = None, metrics: Collection[str] | None = None
) -> Steps[Answer]:
    """What a state says: loss, intervals, quantiles and metrics, as if its rows had been sent again."""
    document = {"state": _sent(state), "level": level, "metrics": metrics}
    return Answer((yield from scoring.post(session, "/v1/report", document)))


def compare(session: Session, **fields: Unpack[Comparing]) -> Steps[Answer]:
    """Whether a window is worse than a reference, or a model than another on the same rows, and why."""
    document = {
        name: _sent(value) if name in ("reference", "current") else value for name, value in fields.items()
    }
    return Answer((yield from scoring.post(session, "/v1/compare", document)))


def _measure(session: Session, path: str, fields: Mapping[str, Any]) -> Steps[Answer]:
    """The answer to a batch, which these endpoints read as JSON alone."""
    message = messages.Json().write(Batch.of(fields), answers.JSON)
    answer = yield from session.ask("POST", path, session.policy.begin(), message)
    return Answer(answers.document(answer))


def _sent(state: object) -> object:
    return b64encode(state.pack()).decode("ascii") if isinstance(state, Packable) else state
