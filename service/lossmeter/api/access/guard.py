"""The guard: who calls, may they, and is it too often. What it refuses, nobody has read the body of."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from lossmeter.api import errors
from lossmeter.api.access import scopes
from lossmeter.api.access.callers import CALLER, Caller, credential, unproven
from lossmeter.api.access.keyring import Keyring
from lossmeter.api.access.rates import SHARED, Buckets, Standing
from lossmeter.api.paths import path_of
from lossmeter.keys import Rate

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lossmeter.api.access.tokens import Tokens
    from lossmeter.settings import Settings


class Access:
    """Lets through whom the table of ``scopes`` lets through.

    401 without a key and with a token that is not good, 403 with a key that is not known or not for this, 429 beyond
    the caller's rate.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._rate = Rate.read(settings.rate_per_key) if settings.rate_per_key else None
        self._keyring = Keyring(settings)
        self._tokens = _tokens(settings, self._rate)
        self._buckets = Buckets(os.environ.get(SHARED))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, with the caller's name in its scope."""
        path = path_of(scope)
        need = scopes.needed(path, self._settings) if scope["type"] == "http" else None
        if need is None:
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._caller(Headers(scope=scope), basic=scopes.takes_password(path, need))
            _check_scope(caller, need)
            standing = self._buckets.take(caller.name, caller.rate) if caller.rate else None
            if standing and standing.wait:
                raise _too_often(standing)
        except HTTPException as refusal:
            await errors.of(refusal, scope)(scope, receive, send)
            return
        await self._app({**scope, CALLER: caller.name}, receive, _telling(send, standing))

    async def _caller(self, headers: Headers, *, basic: bool) -> Caller:
        secret = credential(headers, basic=basic)
        if secret is None:
            where = "Authorization: Bearer KEY, or X-API-Key: KEY, never in the address"
            raise unproven(f"A key is required: {where}.", basic=basic)
        if self._tokens and _looks_like_token(secret):
            return await self._tokens.caller(secret)
        key = self._keyring.find(secret)
        if key is None:
            raise HTTPException(403, "This key is not known.")
        return Caller(f"key {key.name}", key.scopes, key.rate or self._rate)


def _tokens(settings: Settings, rate: Rate | None) -> Tokens | None:
    if not settings.jwt_issuers:
        return None
    from lossmeter.api.access.tokens import Tokens  # noqa: PLC0415 - PyJWT is an extra

    return Tokens(settings, rate)


def _looks_like_token(secret: bytes) -> bool:
    """Whether this is a JWT rather than a key: three parts, the first of which begins a JSON object."""
    return secret.startswith(b"eyJ") and secret.count(b".") == 2  # noqa: PLR2004 - header, claims, signature


def _check_scope(caller: Caller, need: str) -> None:
    if not scopes.suffices(caller.scopes, need):
        challenge = f'Bearer realm="lossmeter", error="insufficient_scope", scope="{need}"'
        detail = f"This needs the scope {need}, which {caller.name.split()[0]} has not."
        raise HTTPException(403, detail, {"WWW-Authenticate": challenge})


def _too_often(standing: Standing) -> HTTPException:
    detail = f"You may ask {standing.rate} and did; nothing was computed."
    headers = {"Retry-After": str(math.ceil(standing.wait)), **_headers(standing)}
    return HTTPException(429, detail, headers)


def _headers(standing: Standing) -> dict[str, str]:
    """RateLimit of draft-ietf-httpapi-ratelimit-headers: q per w seconds; r are left, all are back in t seconds."""
    return {
        "RateLimit-Policy": f'"key";q={standing.rate.quota};w={standing.rate.seconds}',
        "RateLimit": f'"key";r={standing.left};t={math.ceil(standing.full)}',
    }


def _telling(send: Send, standing: Standing | None) -> Send:
    """A ``send`` that tells how much of the rate is left."""
    if standing is None:
        return send

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_headers(standing))
        await send(message)

    return telling
