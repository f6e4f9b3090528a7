"""Why a request was refused, in one word for metrics and logs: as few words as there are reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from lossmeter.errors import InvalidInputError, MalformedBodyError, TooLargeError
from lossmeter.observability.record import CURRENT

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_ERROR: Final[Mapping[type[Exception], str]] = {
    MalformedBodyError: "malformed_body",
    TooLargeError: "too_large",
    InvalidInputError: "invalid_input",
}

BY_STATUS: Final[Mapping[int, str]] = {
    400: "malformed_request",
    401: "no_key",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
    429: "caller_busy",
    431: "head_too_large",
    500: "failure",
    501: "not_supported",
    503: "service_busy",
    505: "not_supported",
}
"""What a status says by itself; 429 may be a key that is used too often instead."""

OTHER: Final = "other"
FIRST_REFUSAL: Final = 400


def note(error: Exception) -> None:
    """Keeps the reason with the request that is being answered."""
    record = CURRENT.get()
    if record is None:
        return
    if isinstance(error, HTTPException):
        of_key = error.status_code == 429 and "RateLimit" in (error.headers or {})  # noqa: PLR2004 - HTTP's own
        record.error = "rate_limited" if of_key else BY_STATUS.get(error.status_code, OTHER)
    else:
        record.error = BY_ERROR.get(type(error), record.error)


def of_status(status: int) -> str:
    """The reason where nothing else told one; empty if nothing was refused."""
    return BY_STATUS.get(status, OTHER) if status >= FIRST_REFUSAL else ""
