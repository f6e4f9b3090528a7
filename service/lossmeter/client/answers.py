"""From bytes that came back to results, or to the error that they tell of."""

from __future__ import annotations

import json as texts
from dataclasses import fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from lossmeter.client.errors import UnexpectedAnswerError, problem
from lossmeter.client.retries import seconds_of
from lossmeter.errors import LossmeterError
from lossmeter.wire import json
from lossmeter.wire.numbers import SPELLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.client.errors import ProblemError
    from lossmeter.client.steps import Answer

R = TypeVar("R")

JSON: Final = "application/json"

_LONGEST_QUOTE: Final = 200


def refusal(answer: Answer) -> ProblemError:
    """The problem that an answer of another status than 200 tells of; of a proxy's page, its beginning."""
    document: Any = None
    if answer.media_type.endswith("json"):
        try:
            document = texts.loads(bytes(answer.body))
        except ValueError:
            document = None
    if not isinstance(document, dict):
        text = bytes(answer.body[:_LONGEST_QUOTE]).decode("utf-8", "replace").strip()
        document = {"title": _phrase(answer.status), "detail": text or "the answer has no body"}
    return problem(answer.status, document, seconds_of(answer.headers.get("retry-after")))


def document(answer: Answer) -> dict[str, Any]:
    """The document of a good answer, its arrays NumPy's, its spelled numbers numbers.

    Raises:
        UnexpectedAnswerError: it is not one of lossmeter's.
    """
    if answer.media_type != JSON:
        raise UnexpectedAnswerError(
            f"an answer of {JSON} was expected, not {answer.media_type or 'one without a type'}"
        )
    try:
        found = json.decode(answer.body)
    except LossmeterError as error:
        raise UnexpectedAnswerError(f"the answer cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UnexpectedAnswerError("a JSON object was expected as the answer")
    return {name: _numbers(value) for name, value in found.items()}


def result(kind: type[R], found: Mapping[str, Any], dtype: np.dtype[Any] | None = None) -> R:
    """The document as the engine's result of this kind; what it does not carry is None.

    Args:
        kind: a dataclass.
        found: the document.
        dtype: of its arrays.
    """
    # What a newer server says beyond that is left out.
    wanted = {each.name: found.get(each.name) for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: cast(value, dtype) for name, value in wanted.items()})


def cast(value: object, dtype: np.dtype[Any] | None) -> Any:  # noqa: ANN401 - whatever it was
    """An array in this dtype; anything else as it is."""
    return value.astype(dtype, copy=False) if isinstance(value, np.ndarray) and dtype is not None else value


def _numbers(value: object) -> Any:  # noqa: ANN401 - whatever a document holds
    """A value in which ``"Infinity"`` and the like, standing alone, are numbers."""
    if isinstance(value, dict):
        return {name: _numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return SPELLED.get(value, value) if isinstance(value, str) else value


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Status"
