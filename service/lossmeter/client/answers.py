"""From bytes that came back to results, or to the error that they tell of."""

from __future__ import annotations

import json as texts
from dataclasses import fields
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from lossmeter.client.errors import UnexpectedAnswerError, problem
from lossmeter.client.results import Answer as Document
from lossmeter.client.retries import seconds_of
from lossmeter.errors import LossmeterError
from lossmeter.wire import json, npy, zips
from lossmeter.wire.numbers import SPELLED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from lossmeter.client.errors import ProblemError
    from lossmeter.client.steps import Answer, Buffer

R = TypeVar("R")

JSON: Final = "application/json"
NPZ: Final = "application/x-npz"

_WORDS: Final = ("reduction", "unit", "state")
_LARGEST: Final = 1 << 40

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
    read = _READERS.get(answer.media_type)
    if read is None:
        what = answer.media_type or "one without a type"
        raise UnexpectedAnswerError(f"an answer of {' or '.join(_READERS)} was expected, not {what}")
    try:
        return read(answer.body)
    except (LossmeterError, ValueError) as error:
        raise UnexpectedAnswerError(f"the answer cannot be read: {error}") from error


def _of_json(body: Buffer) -> dict[str, Any]:
    found = json.decode(body)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - of JSON, not a type of ours
    return {name: _numbers(value) for name, value in found.items()}


def _of_npz(body: Buffer) -> dict[str, Any]:
    """Arrays as views of the body where they lie aligned; dotted names as an object, single numbers as such."""
    found: dict[str, Any] = {}
    for member, data in zips.read(body, _LARGEST).items():
        name = member.removesuffix(".npy")
        value: NDArray[Any] = _word(data) if name in _WORDS else npy.read(data, name)
        *outer, inner = name.split(".")
        place = found
        for each in outer:
            place = place.setdefault(each, {})
        place[inner] = value if value.ndim else value.item()
    return found


def _word(data: memoryview) -> NDArray[Any]:
    """An array that is a single word, which is no array of the contract's."""
    word: NDArray[Any] = np.lib.format.read_array(BytesIO(data), allow_pickle=False)
    return word


_READERS: Final[Mapping[str, Callable[[Buffer], dict[str, Any]]]] = {JSON: _of_json, NPZ: _of_npz}


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
    """A value in which ``"Infinity"`` and the like, standing alone, are numbers, and members of objects attributes."""
    if isinstance(value, dict):
        return Document({name: _numbers(member) for name, member in value.items()})
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return SPELLED.get(value, value) if isinstance(value, str) else value


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Status"
