"""What proves who calls: the credentials of a request, and the caller that they turn out to be."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from lossmeter.keys import Rate

if TYPE_CHECKING:
    from starlette.datastructures import Headers


CALLER: Final = "lossmeter.caller"
"""Where the scope has the name of the caller, once it is known: ``key ci``, ``token ISSUER SUBJECT``."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who proved who they are.

    Attributes:
        name: how logs, limits and rates call them; no secret.
        scopes: what they may do.
        rate: how often, or None for as often as they like.
    """

    name: str
    scopes: frozenset[str]
    rate: Rate | None


def credential(headers: Headers, *, basic: bool) -> bytes | None:
    """The key or token of a request: ``Authorization: Bearer``, else ``X-API-Key``; never of the query string.

    Args:
        headers: the request's.
        basic: whether a password will do, too, which is how a browser sends a key for a page.
    """
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found = rest.strip()
    elif basic and scheme.lower() == "basic":
        found = _password(rest.strip())
    else:
        found = headers.get("x-api-key", "")
    # Header values are bytes that Starlette reads as Latin-1.
    return found.encode("latin-1") or None


def unproven(detail: str, *, error: str = "", basic: bool = False) -> HTTPException:
    """The 401 that says how to prove oneself (RFC 6750, section 3)."""
    challenge = 'Bearer realm="lossmeter"' + (f', error="{error}"' if error else "")
    if basic:
        challenge = 'Basic realm="lossmeter: the key is the password", charset="UTF-8", ' + challenge
    return HTTPException(401, detail, {"WWW-Authenticate": challenge})


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
