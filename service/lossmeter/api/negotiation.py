"""What a request may be written in and what the caller takes back: JSON, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.datastructures import Headers

JSON: Final = "application/json"
ANSWERS: Final = (JSON, "application/problem+json")


def check_content(headers: Headers) -> None:
    """Refuses a body that is not UTF-8 JSON.

    Raises:
        HTTPException: 415, with the header that says what is taken.
    """
    sent, _, parameters = headers.get("content-type", "").partition(";")
    if sent.strip().lower() != JSON:
        what = f"not {sent.strip()[:64]}" if sent.strip() else "but the request has no Content-Type"
        detail = f"A body of {JSON} is wanted, {what}; with curl, add -H 'Content-Type: {JSON}'."
        raise HTTPException(415, detail, {"Accept": JSON})
    if _charset(parameters) not in ("utf-8", "utf8", ""):
        raise HTTPException(
            415, "JSON is UTF-8 (RFC 8259, section 8.1); no other charset is taken.", {"Accept": JSON}
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        # RFC 9110, section 12.5.3: the answer to an unsupported coding names those that are taken.
        raise HTTPException(415, "No Content-Encoding is taken.", {"Accept-Encoding": "identity"})


def check_accept(headers: Headers) -> None:
    """Refuses a caller that takes no JSON back.

    Raises:
        HTTPException: 406.
    """
    accept = ",".join(headers.getlist("accept"))
    if accept.strip() and not any(_quality(accept, answer) for answer in ANSWERS):
        raise HTTPException(406, f"Answers are {JSON}; the Accept header excludes it.")


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _quality(accept: str, media_type: str) -> float:
    """The weight that the most specific range of an Accept header gives (RFC 9110, section 12.5.1)."""
    family = media_type.partition("/")[0]
    ranks = {"*/*": 1, f"{family}/*": 2, media_type: 3}
    best, quality = 0, 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = ranks.get(name, 0)
        if rank > best:
            best, quality = rank, _weight(parameters)
    return quality


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
