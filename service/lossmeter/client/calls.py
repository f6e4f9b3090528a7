"""The service's endpoints as calls: each is said once, and the two clients make methods of it.

A parameter that is None is not sent; then the server's default holds, which is the contract's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossmeter.client import answers, messages, scoring
from lossmeter.client.batch import Batch, plain
from lossmeter.client.results import Health
from lossmeter.engine import ClassWeights, DivergenceResult, SoftmaxResult

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import ArrayLike

    from lossmeter.client.session import Session
    from lossmeter.client.steps import Steps
    from lossmeter.engine import Scores
    from lossmeter.engine.class_weights import Absent, Scheme
    from lossmeter.engine.options import Normalization, Part, Reduction, Unit

_WITHOUT_BODY = messages.Message({"Accept": answers.JSON})


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
        include: which arrays the answer carries.
        labels: which series of the server's metrics this scoring belongs to.

    Raises:
        LossmeterClientError: see ``lossmeter.client.errors``.
    """
    fields = {name: value for name, value in locals().items() if name != "session"}
    return (yield from scoring.score(session, Batch.of(fields), session.policy.begin()))


def softmax(session: Session, *, logits: ArrayLike, temperature: float | None = None) -> Steps[SoftmaxResult]:
    """Softmax of ``Float[n, classes]``, its logarithm, and what belongs to them; in float64."""
    found = yield from _post(session, "/v1/softmax", logits=logits, temperature=temperature)
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
    found = yield from _post(session, "/v1/divergence", **fields)
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
    found = yield from _post(session, "/v1/class-weights", **fields)
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


def _post(session: Session, path: str, **fields: Any) -> Steps[dict[str, Any]]:  # noqa: ANN401 - the contract's fields
    """The answer to a document; arrays are NumPy's on both sides, and float64."""
    given = {name: messages.wide(plain(value)) for name, value in fields.items() if value is not None}
    answer = yield from session.ask("POST", path, session.policy.begin(), messages.document(given))
    return answers.document(answer)
