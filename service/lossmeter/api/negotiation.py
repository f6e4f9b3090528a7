"""What a request is written in and what the caller takes back: media types and content codings."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.exceptions import HTTPException

from lossmeter.api.fields import field
from lossmeter.wire.compression import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
NPY: Final = "application/x-npy"
NPZ: Final = "application/x-npz"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"
MULTIPART: Final = "multipart/form-data"
PROBLEM: Final = "application/problem+json"

VARY: Final[Mapping[str, str]] = {"Vary": "Accept, Accept-Encoding"}
"""What an answer depends on, beyond the request's line and body."""

STREAMS: Final = (NDJSON, ARROW)
"""What is read and answered batch by batch, if the caller takes one of them back."""

_WHOLE_ANSWERS: Final = (JSON, NPZ, NPY, ARROW)
_ANSWERS: Final[Mapping[str, tuple[str, ...]]] = {
    JSON: _WHOLE_ANSWERS,
    NPZ: _WHOLE_ANSWERS,
    NPY: _WHOLE_ANSWERS,
    PARQUET: _WHOLE_ANSWERS,
    MULTIPART: _WHOLE_ANSWERS,
    ARROW: (JSON, ARROW, NDJSON, NPZ, NPY),
    NDJSON: STREAMS,
}

BATCHES: Final = tuple(_ANSWERS)
"""What a batch can be written in."""

_IDENTITY: Final = "identity"
_TEXT: Final = (JSON, NDJSON)
"""What shrinks; the mantissas of binary numbers hardly do."""

_SAID: Final = (b"content-type", b"content-encoding", b"accept", b"accept-encoding")


class Agreed(NamedTuple):
    """What a request and its answer are written in.

    Attributes:
        content: the media type of the body.
        parameters: of its media type, as sent.
        coding: the content coding of the body, if it has one.
        answer: the media type of the answer.
        answer_coding: the content coding of the answer, where that would shrink and the caller takes one.
    """

    content: str
    parameters: str
    coding: str | None
    answer: str
    answer_coding: str | None

    @property
    def is_stream(self) -> bool:
        """Whether the body is read and answered batch by batch."""
        return self.content in STREAMS and self.answer in STREAMS


def agree(scope: Scope, taken: tuple[str, ...]) -> Agreed:
    """What a request has to be read as, and answered in.

    Args:
        scope: of the request.
        taken: the media types that its body may have; none, if there is no body.

    Raises:
        HTTPException: 415 or 406, with the header that says what would do.
    """
    said = (field(scope, name) for name in _SAID)
    return _agreed(*said, taken)


# A monitor says the same all day.
@lru_cache(maxsize=64)
def _agreed(
    content_type: str, content_encoding: str, accept: str, accept_encoding: str, taken: tuple[str, ...]
) -> Agreed:
    content, coding = JSON, None
    offered: tuple[str, ...] = (JSON,)
    if taken:
        content = check_content(content_type, taken)
        coding = check_coding(content_encoding)
        offered = _ANSWERS[content] if len(taken) > 1 else offered
    answer = check_accept(accept, offered)
    shrinks = accept_encoding and answer in _TEXT
    wanted = accepted_coding(accept_encoding) if shrinks else None
    return Agreed(content, content_type.partition(";")[2], coding, answer, wanted)


def is_stream(scope: Scope) -> bool:
    """Whether the body of a request is read and answered batch by batch."""
    content = field(scope, b"content-type").partition(";")[0].strip().lower()
    return content in STREAMS and _best(field(scope, b"accept"), _ANSWERS[content]) in STREAMS


def check_content(content_type: str, taken: tuple[str, ...] = (JSON,)) -> str:
    """The media type of a body, which must be one of those taken.

    Raises:
        HTTPException: 415, with the header that says what is taken.
    """
    sent, _, parameters = content_type.partition(";")
    name = sent.strip().lower()
    if name not in taken:
        what = f"not {sent.strip()[:64]}" if name else "but the request has no Content-Type"
        detail = (
            f"A body of {' or '.join(taken)} is wanted, {what}; with curl, add -H 'Content-Type: {JSON}'."
        )
        raise HTTPException(415, detail, {"Accept": ", ".join(taken)})
    if name == JSON and parameter(parameters, "charset").lower() not in ("utf-8", "utf8", ""):
        raise HTTPException(
            415, "JSON is UTF-8 (RFC 8259, section 8.1); no other charset is taken.", {"Accept": JSON}
        )
    return name


def check_coding(content_encoding: str) -> str | None:
    """The content coding of a body, or None if it has none.

    Raises:
        HTTPException: 415 for a coding that is not known, and for several in one another.
    """
    sent = content_encoding.strip().lower()
    # RFC 9110, section 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."
    coding = "gzip" if sent == "x-gzip" else sent
    if coding in ("", _IDENTITY):
        return None
    if coding not in ENCODINGS:
        # RFC 9110, section 12.5.3: the answer to an unsupported coding names those that are taken.
        taken = ", ".join(ENCODINGS)
        detail = f"One Content-Encoding of {taken} is taken, not {sent[:64]}."
        raise HTTPException(415, detail, {"Accept-Encoding": taken})
    return coding


def check_accept(accept: str, offered: tuple[str, ...] = (JSON,)) -> str:
    """The media type for the answer: the caller's favourite of those offered, the first of equals.

    Wildcards stand for the first alone: who names no binary format would not know what to do with one.

    Raises:
        HTTPException: 406 for a caller that takes none of them.
    """
    chosen = _best(accept, offered)
    if chosen is None:
        raise HTTPException(406, f"Answers are {' or '.join(offered)}; the Accept header excludes them.")
    return chosen


@lru_cache(maxsize=64)
def accepted_coding(accept_encoding: str) -> str | None:
    """The coding that an Accept-Encoding header likes best, or None for a body as it is."""
    weights = dict(_weighted(accept_encoding))
    everything = weights.get("*", 0.0)
    best = max(ENCODINGS, key=lambda coding: weights.get(coding, everything))
    # Without being named, a body as it is comes last, but is never excluded.
    return best if weights.get(best, everything) > weights.get(_IDENTITY, 0.0) else None


def parameter(parameters: str, wanted: str) -> str:
    """The value of one parameter of a Content-Type header, or an empty string."""
    for each in parameters.split(";"):
        name, _, value = each.partition("=")
        if name.strip().lower() == wanted:
            return value.strip().strip('"')
    return ""


@lru_cache(maxsize=64)
def _best(accept: str, offered: tuple[str, ...]) -> str | None:
    if not accept.strip():
        return offered[0]
    ranges = _weighted(accept)
    named = dict(ranges)
    weights = [_quality(ranges, offered[0]), *(named.get(other, 0.0) for other in offered[1:])]
    if any(weights):
        return offered[weights.index(max(weights))]
    # Who takes problems alone has said nothing of the answers.
    return offered[0] if _quality(ranges, PROBLEM) else None


def _quality(ranges: list[tuple[str, float]], media_type: str) -> float:
    """The weight that the most specific range of an Accept header gives (RFC 9110, section 12.5.1)."""
    family = media_type.partition("/")[0]
    ranks = {"*/*": 1, f"{family}/*": 2, media_type: 3}
    best, quality = 0, 0.0
    for name, weight in ranges:
        rank = ranks.get(name, 0)
        if rank > best:
            best, quality = rank, weight
    return quality


def _weighted(header: str) -> list[tuple[str, float]]:
    """The members of a header and their weights."""
    members = [part.split(";") for part in header.lower().split(",")]
    return [(name.strip(), _weight(parameters)) for name, *parameters in members]


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
