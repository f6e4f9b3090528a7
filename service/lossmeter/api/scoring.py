"""The use cases of /v1 between JSON documents and the engine: shared by the routes and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lossmeter import engine
from lossmeter.api import answers
from lossmeter.api.schemas import document as documents
from lossmeter.api.schemas.losses import parameter_schema
from lossmeter.api.schemas.score import ScoreRequest
from lossmeter.errors import InvalidInputError, TooLargeError
from lossmeter.wire.json import count_numbers

if TYPE_CHECKING:
    from lossmeter.api.schemas.class_weights import ClassWeightsRequest
    from lossmeter.api.schemas.divergence import DivergenceRequest
    from lossmeter.api.schemas.softmax import SoftmaxRequest
    from lossmeter.engine import Scores
    from lossmeter.observability.meter import Meter
    from lossmeter.settings import Settings

D = TypeVar("D", bound=documents.Document)


def read(model: type[D], document: object, settings: Settings) -> D:
    """A decoded JSON document as this model, within the limits of the settings.

    Raises:
        TooLargeError: more numbers than ``max_elements``.
        InvalidInputError: anything else that is wrong with it.
    """
    numbers = count_numbers(document)
    if numbers > settings.max_elements:
        raise TooLargeError(f"{numbers} numbers; at most {settings.max_elements} are taken in one request")
    return documents.read(model, document, {"max_classes": settings.max_classes})


def answer(document: object, settings: Settings) -> dict[str, Any]:
    """The answer of /v1/score to a decoded request document; its arrays are NumPy's.

    Raises:
        LossmeterError: the document is refused.
    """
    return score(read(ScoreRequest, document, settings), settings)


def score(request: ScoreRequest, settings: Settings, meter: Meter | None = None) -> dict[str, Any]:
    """Loss, gradients and what else was asked for."""
    scores = scored(request, settings, meter)
    return answers.with_state(told(scores, request), scores.state, request)


def scored(request: ScoreRequest, settings: Settings, meter: Meter | None = None) -> Scores:
    """The engine's scores of a request; counted, if there is who counts."""
    sent = answers.arguments(request)
    return meter.score(sent, request.labels) if meter else engine.score(**sent, threads=settings.threads)


def told(scores: Scores, request: ScoreRequest) -> dict[str, Any]:
    """Scores as a document, but for the state."""
    document: dict[str, Any] = {
        "loss": scores.loss,
        "reduction": scores.reduction,
        "unit": scores.unit,
        "denominator": scores.denominator,
        "count": scores.count,
        "ignored": scores.ignored,
    }
    kl = scores.kl and _present(scores.kl, "target_entropy", "cross_entropy", "kl_divergence", "by_class")
    parts = _present(scores, "class_weights", "losses", "gradients", "contributions", "probabilities")
    document |= parts | ({"kl": kl} if kl else {})
    if scores.slices is not None:
        document["slices"] = answers.of_slices(scores.slices, request.unit)
    return document


def softmax(request: SoftmaxRequest, settings: Settings) -> dict[str, Any]:
    """Probabilities, their logarithms and what belongs to them."""
    result = engine.softmax(**request.arguments(), threads=settings.threads)
    return _present(result, "probabilities", "log_probabilities", "log_sum_exp", "entropy")


def divergence(request: DivergenceRequest, settings: Settings) -> dict[str, Any]:
    """Entropies and divergences of two distributions per row."""
    result = engine.divergence(**request.arguments(), threads=settings.threads)
    rows = (
        "p_entropy",
        "q_entropy",
        "cross_entropy",
        "kl_divergence",
        "reverse_kl_divergence",
        "jensen_shannon",
    )
    return _present(result, *rows, "contributions")


def class_weights(request: ClassWeightsRequest, settings: Settings) -> dict[str, Any]:
    """One weight per class."""
    arguments = request.arguments()
    _check_classes(arguments, settings.max_classes)
    return _present(engine.class_weights(**arguments), "class_weights", "counts")


def losses() -> dict[str, Any]:
    """The catalogue of losses."""
    return {"losses": [_description(loss) for loss in engine.LOSSES.values()]}


def _description(loss: type[engine.Loss]) -> dict[str, Any]:
    names = ("name", "title", "summary", "formula", "reference", "binary")
    parameters = {name: parameter_schema(parameter) for name, parameter in loss.parameters().items()}
    return _present(loss, *names) | {"parameters": parameters}


def _present(source: object, *names: str) -> dict[str, Any]:
    """Those of the attributes that are not None."""
    return {name: value for name in names if (value := getattr(source, name)) is not None}


def _check_classes(arguments: dict[str, Any], most: int) -> None:
    """Here a single large index would make a large answer, so it is bounded before anything is counted."""
    classes = arguments.get("classes", 0)
    if classes > most:
        raise InvalidInputError.at("classes", detail=f"at most {most} classes are taken", value=classes)
    counts = arguments.get("counts")
    if counts is not None and counts.size > most:
        raise InvalidInputError.at("counts", detail=f"at most {most} classes are taken, not {counts.size}")
    targets = arguments.get("targets")
    if targets is None or targets.ndim != 1:
        return
    beyond = np.flatnonzero((targets >= most) & (targets != arguments.get("ignore_index")))
    if beyond.size:
        first = int(beyond[0])
        detail = f"at most {most} classes are taken, numbered from 0"
        raise InvalidInputError.at("targets", first, detail=detail, value=targets[first])
