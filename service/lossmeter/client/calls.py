"""The service's endpoints as calls: each is said once, and the two clients make methods of it.

A parameter that is None is not sent; then the server's default holds, which is the contract's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from lossmeter.client import answers, file_scoring, messages, scoring
from lossmeter.client.batch import Batch
from lossmeter.client.results import Health
from lossmeter.engine import ClassWeights, DivergenceResult, SoftmaxResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike

    from lossmeter.client.results import FileBatch, FileScores, Scores
    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps
    from lossmeter.engine.class_weights import Absent, Scheme
    from lossmeter.engine.options import Normalization, Part, Reduction, Unit

_WITHOUT_BODY = messages.Message({"Accept": answers.JSON})


class Options(TypedDict, total=False):
    """The fields of a scoring that are not of its rows; ``score`` says what they mean."""

    loss: str | Mapping[str, Any]
    class_weights: ArrayLike | str | Mapping[str, Any]
    label_smoothing: float
    ignore_index: int
    temperature: float
    reduction: Reduction
    normalization: Normalization
    unit: Unit
    epsilon: float
    tolerance: float
    labels: Mapping[str, str]


def score(  # noqa: PLR0913 - the contract's fields, one argument each
    session: Session,
    *,
    logits: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    targets: ArrayLike,
    loss: str | Mapping[str, Any] | None = None,
    class_weights: ArrayLike | str | Mapping[str, Any] | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float | None = None,
    ignore_index: int | None = None,
    temperature: float | None = None,
    reduction: Reduction | None = None,
    normalization: Normalization | None = None,
    unit: Unit | None = None,
    epsilon: float | None = None,
    tolerance: float | None = None,
    include: Collection[Part] | None = None,
    slices: Mapping[str, ArrayLike] | None = None,
    cluster: ArrayLike | None = None,
    bins: int | None = None,
    k: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> Steps[Scores]:
    """Score a batch of any size; the arguments are the fields of ``POST /v1/score``.

    float32 and float16 are computed in float32 and come back so, anything else as float64. A batch that is larger
    than the server takes is sent in parts, and answered as if it had been scored at once, to rounding.

    Args:
        session: the client's.
        logits: ``Float[n, classes]``, or ``Float[n]`` or ``Float[n, labels]`` with a binary loss.
        probabilities: the same shape, each in [0, 1], rows that sum to 1; exactly one of the three.
        log_probabilities: the same shape, natural logarithms.
        targets: ``Int[n]`` class indices or ``Float[n, classes]`` distributions; with a binary loss 0/1 or soft, in
            the shape of the input.
        loss: a name, or ``{"name": ..., parameters}``.
        class_weights: ``Float[classes]``, ``"balanced"``, or ``{"scheme", "beta", "absent"}``.
        sample_weights: ``Float[n]`` >= 0.
        label_smoothing: in [0, 1), spread over the classes that have any probability.
        ignore_index: rows whose class index equals it count nowhere.
        temperature: logits are divided by it.
        reduction: ``mean``, ``sum`` or ``none``.
        normalization: what a mean is divided by: the ``weight`` or the ``count`` of the rows.
        unit: ``nats`` or ``bits``.
        epsilon: probabilities are clipped to at least this.
        tolerance: how far a row's sum may be from 1.
        include: which arrays the answer carries, and whether a ``state`` that adds up with others.
        slices: by dimension, a string for each row: the answer tells the loss of every value.
        cluster: an id for each row; rows of one cluster are one observation to intervals. Such a batch is never cut.
        bins: of the confidence, in the state.
        k: of top-k accuracy, in the state and the slices.
        labels: which series of the server's metrics this scoring belongs to.

    Raises:
        LossmeterClientError: see ``lossmeter.client.errors``.
    """
    fields = {name: value for name, value in locals().items() if name != "session"}
    batch = Batch.of(fields | scoring.encoding(include))
    return (yield from scoring.score(session, batch, session.policy.begin()))


def score_file(  # noqa: PLR0913 - the contract's fields, one argument each
    session: Session,
    path: str | PathLike[str],
    *,
    include: Collection[Part] = (),
    slices: Sequence[str] = (),
    each: Callable[[FileBatch], object] | None = None,
    batch_rows: int | None = None,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Steps[FileScores]:
    """Score a Parquet file, an Arrow file or an Arrow stream of any size, batch by batch in little memory.

    Its columns: ``logits`` (or ``probabilities``, ``log_probabilities``) as lists, or as a column per class
    (``logits_0``, ``logits_1`` …); ``target``; perhaps ``sample_weight``. It is read twice where ``class_weights`` are
    computed from the truth.

    Args:
        session: the client's.
        path: where the file is.
        include: which arrays each batch has for ``each``; ``kl`` also gives ``kl_by_class`` of the whole.
        slices: columns to slice by; with ``state`` in ``include``, a report of the state tells the loss of every value.
        each: called with every batch when it is scored, in order: to write the losses, or to add them up by others.
        batch_rows: rows of a batch; by default as many as make some 16 MiB.
        progress: whether to draw a bar, if tqdm is installed; by default if standard error is a terminal.
        **options: the other fields of ``score``.

    Raises:
        LossmeterClientError: as in ``score``; pointers are to the rows of the file.
        OSError: the file cannot be read.
        pyarrow.ArrowInvalid: it is not what its first bytes say.
        ModuleNotFoundError: pyarrow is not installed.
    """
    fields = {**options, "include": include, **scoring.encoding(include)}
    job = file_scoring.Job(path, fields, slices, batch_rows, each, progress)
    return (yield from file_scoring.score(session, job))


def softmax(session: Session, *, logits: ArrayLike, temperature: float | None = None) -> Steps[SoftmaxResult]:
    """Softmax of ``Float[n, classes]``, its logarithm, and what belongs to them; in float64."""
    found = yield from scoring.post(session, "/v1/softmax", {"logits": logits, "temperature": temperature})
    return answers.result(SoftmaxResult, found)


def divergence(  # noqa: PLR0913 - the contract's fields, one argument each
    session: Session,
    *,
    p: ArrayLike | None = None,
    q: ArrayLike | None = None,
    p_logits: ArrayLike | None = None,
    q_logits: ArrayLike | None = None,
    unit: Unit | None = None,
    tolerance: float | None = None,
    include: Collection[str] | None = None,
) -> Steps[DivergenceResult]:
    """Entropies and divergences of two batches of distributions, each ``Float[n, classes]``, row by row."""
    fields = {name: value for name, value in locals().items() if name != "session"}
    found = yield from scoring.post(session, "/v1/divergence", fields)
    return answers.result(DivergenceResult, found)


def class_weights(  # noqa: PLR0913 - the contract's fields, one argument each
    session: Session,
    *,
    targets: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    scheme: Scheme | None = None,
    beta: float | None = None,
    absent: Absent | None = None,
    classes: int | None = None,
    ignore_index: int | None = None,
) -> Steps[ClassWeights]:
    """Weights of classes from the truth of a batch, or from counts."""
    fields = {name: value for name, value in locals().items() if name != "session"}
    found = yield from scoring.post(session, "/v1/class-weights", fields)
    return answers.result(ClassWeights, found)


def losses(session: Session) -> Steps[Sequence[Mapping[str, Any]]]:
    """Every loss that the server knows: its name, formula, parameters and reference."""
    answer = yield from session.ask("GET", "/v1/losses", session.policy.begin(), _WITHOUT_BODY)
    found: Sequence[Mapping[str, Any]] = answers.document(answer)["losses"]
    return found


def health(session: Session) -> Steps[Health]:
    """Whether the server takes requests; asked once, for a probe wants to know how it is now.

    Raises:
        ConnectionFailedError: nothing answers.
    """
    answer = yield from session.attempt("GET", "/health/ready", session.policy.begin(), _WITHOUT_BODY)
    if answer.media_type != answers.JSON:
        raise answers.refusal(answer)
    status = str(answers.document(answer).get("status"))
    return Health(ready=status == "ok", status=status)
