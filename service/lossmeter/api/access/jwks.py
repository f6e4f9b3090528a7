"""An issuer's public keys (JWKS, RFC 7517), from a file or an address; kept, and fetched again when they may be others.

What comes from an address is bounded in size and time, fetched off the event loop, at most once in some seconds
whatever callers send, and by no redirect; while it cannot be had, the keys that are known stay good for a day.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import jwt
from starlette.exceptions import HTTPException

LOG: Final = logging.getLogger("lossmeter")

FRESH_SECONDS: Final = 300.0
STALE_SECONDS: Final = 24 * 3600.0
RETRY_SECONDS: Final = 5.0
"""Between two fetches at least, so that tokens with made-up key ids cannot make us hammer the issuer."""

FETCH_SECONDS: Final = 4.0
MOST_BYTES: Final = 512 * 1024


class KeySet:
    """The keys of one issuer."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._keys: list[jwt.PyJWK] = []
        self._fetched = self._tried = -STALE_SECONDS
        self._turn = anyio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK:
        """The key with this id; without an id, the only one.

        Raises:
            HTTPException: 503 if there are no keys to look among.
            PyJWKError: there is no such key.
        """
        is_old = time.monotonic() - self._fetched > FRESH_SECONDS
        # Whoever has a key that is known does not wait while someone else fetches.
        if not self._among(key_id) or (is_old and not self._turn.locked()):
            await self._refresh()
        if time.monotonic() - self._fetched > STALE_SECONDS:
            detail = "The issuer's keys cannot be had just now, so nobody knows whether the token is good."
            raise HTTPException(503, detail, {"Retry-After": str(round(RETRY_SECONDS))})
        found = self._among(key_id)
        if not found:
            raise jwt.PyJWKError
        return found[0]

    def _among(self, key_id: str | None) -> list[jwt.PyJWK]:
        if key_id is None:
            return self._keys if len(self._keys) == 1 else []
        return [key for key in self._keys if key.key_id == key_id]

    async def _refresh(self) -> None:
        """Fetches, unless it was tried a moment ago; others wait for the one that does."""
        async with self._turn:
            if time.monotonic() - self._tried < RETRY_SECONDS:
                return
            try:
                with anyio.fail_after(FETCH_SECONDS):
                    text = await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True)
                self._keys = _signing_keys(text)
                self._fetched = time.monotonic()
            except (OSError, ValueError, jwt.PyJWTError) as error:
                LOG.error("cannot get keys from %s: %s", self._place, error)  # noqa: TRY400 - what happened, not where
            finally:
                self._tried = time.monotonic()

    def _read(self) -> bytes:
        if "://" not in self._place:
            return Path(self._place).read_bytes()
        with _OPENER.open(self._place, timeout=FETCH_SECONDS) as answer:
            text: bytes = answer.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        return text


def _signing_keys(text: bytes) -> list[jwt.PyJWK]:
    """Those that can check signatures; never a shared secret, though PyJWT would read one.

    Raises:
        ValueError: it is no JSON object.
        PyJWKSetError: it has no keys.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - it is what was sent that is wrong
    keys = jwt.PyJWKSet.from_dict(document).keys
    return [key for key in keys if key.key_type != "oct" and key.public_key_use in (None, "sig")]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An issuer's keys are where the operator said, or nowhere."""

    def redirect_request(self, *_: object) -> None:
        """Follows none: the answer is then an error."""


_OPENER: Final = urllib.request.build_opener(_NoRedirect)
