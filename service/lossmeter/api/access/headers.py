"""What every answer tells browsers: what it says it is, it is, and it is no page to embed or to run anything in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    Header = tuple[bytes, bytes]

HEADERS: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)

# RFC 6797. Only where we speak TLS ourselves; a proxy that does has a policy of its own.
STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


def secured(headers: Iterable[Header], usual: Iterable[Header] = HEADERS) -> list[Header]:
    """The headers of an answer with the usual ones, where it has none of its own, as the pages have."""
    found = list(headers)
    own = {name for name, _ in found}
    found += [header for header in usual if header[0] not in own]
    return found
