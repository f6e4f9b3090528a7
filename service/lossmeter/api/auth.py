"""Keys: who may score, decided on the request's headers before any of its body is read."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from lossmeter.api import problems
from lossmeter.api.paths import is_open

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr
    from starlette.types import ASGIApp, Receive, Scope, Send

CALLER: Final = "lossmeter.caller"
"""Where the scope says who calls, once a key has told."""


class Authentication:
    """Asks for a key: 401 without, 403 with a wrong one.

    Keys are kept and compared as digests: equal in length, and nothing to read in a memory dump.
    """

    def __init__(self, app: ASGIApp, keys: Iterable[SecretStr]) -> None:
        self._app = app
        self._digests = [_digest(key.get_secret_value().encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on if it is open to everyone or has a key."""
        if scope["type"] != "http" or is_open(scope):
            await self._app(scope, receive, send)
            return
        key = _sent_key(Headers(scope=scope))
        if key is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="lossmeter"'}
            detail = "A key is required: Authorization: Bearer KEY, or X-API-Key: KEY."
            await problems.response(401, detail, scope, headers=challenge)(scope, receive, send)
        elif not self._knows(digest := _digest(key)):
            await problems.response(403, "This key is not known.", scope)(scope, receive, send)
        else:
            await self._app({**scope, CALLER: digest}, receive, send)

    def _knows(self, digest: bytes) -> bool:
        # Every key is compared, so that the time does not tell which one was close.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _sent_key(headers: Headers) -> bytes | None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    # Header values are bytes that Starlette reads as Latin-1.
    return key.encode("latin-1") or None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
