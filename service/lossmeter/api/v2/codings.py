"""The content coding of an answer, as real clients of the protocol want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.datastructures import Headers

READABLE: Final = ("gzip", "deflate")
"""What every client of the protocol can decompress."""


def wanted(headers: Headers) -> str | None:
    """The coding that the caller asks for, if it asks for one alone.

    That is what ``response_compression_algorithm`` of tritonclient does. A longer list is what HTTP libraries send by
    themselves: it says what they could read, and to compress floats takes longer than to send them.
    """
    parts = ",".join(headers.getlist("accept-encoding")).lower().split(",")
    names = {
        name.strip() for name, _, weight in (part.partition(";") for part in parts) if not _is_zero(weight)
    }
    asked = names - {"", "identity"}
    return asked.pop() if len(asked) == 1 and asked <= set(READABLE) else None


def _is_zero(weight: str) -> bool:
    """Whether a weight says "never": ``q=0``."""
    name, _, value = weight.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")
