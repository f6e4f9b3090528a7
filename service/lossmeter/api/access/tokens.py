"""Tokens (JWT, RFC 7519) of the issuers that the operator named; PyJWT checks the signatures.

What RFC 8725 asks for: the algorithm is ours to choose and never ``none`` nor one with a shared secret; the key decides
which algorithm it is for; issuer, audience, expiry and not-before are checked; nothing in the token says where
keys come from (``jku``, ``x5u`` and ``jwk`` are not looked at).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jwt

from lossmeter.api.access.callers import Caller, unproven
from lossmeter.api.access.jwks import KeySet
from lossmeter.keys import SCOPES

if TYPE_CHECKING:
    from lossmeter.keys import Rate
    from lossmeter.settings import Settings

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Those with a public key: an issuer's keys are public, so whoever reads them could sign with any other."""

LONGEST: Final = 16 * 1024
"""Bytes of a token; one that is longer is not even parsed."""

LEEWAY_SECONDS: Final = 30
"""How far our clock and an issuer's may be apart."""

REQUIRED: Final = ("exp", "iss", "aud")


class Tokens:
    """Turns tokens into callers."""

    def __init__(self, settings: Settings, rate: Rate | None) -> None:
        self._issuers = {name: KeySet(place) for name, place in (settings.jwt_issuers or {}).items()}
        self._audience = settings.jwt_audience
        self._rate = rate

    async def caller(self, token: bytes) -> Caller:
        """Who the token says is calling.

        Raises:
            HTTPException: 401 for a token that is not good, 503 while its issuer's keys cannot be had.
        """
        try:
            claims = await self._claims(token)
        except (jwt.PyJWTError, RecursionError, ValueError, OverflowError) as error:
            raise unproven(f"The token is not taken: {_reason(error)}.", error="invalid_token") from None
        subject = claims.get("sub") or claims.get("client_id") or claims.get("azp") or "?"
        return Caller(f"token {claims['iss']} {str(subject)[:128]}", _scopes(claims), self._rate)

    async def _claims(self, token: bytes) -> dict[str, Any]:
        """What it says, once all of it is checked."""
        if len(token) > LONGEST:
            raise jwt.InvalidTokenError
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError
        # Not believed yet: it only says whose keys will tell whether it is true.
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        keys = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise jwt.InvalidIssuerError
        return jwt.decode(
            token,
            await keys.find(header.get("kid")),
            algorithms=ALGORITHMS,
            audience=self._audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED), "enforce_minimum_key_length": True},
        )


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Those of ``scope`` (RFC 8693: words in one string) or ``scp`` (a list, as Entra ID and Okta have it)."""
    said = claims.get("scope", claims.get("scp", ""))
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return frozenset(scope for scope in SCOPES if scope in words)


_REASONS: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is meant for someone else"),
    (jwt.InvalidIssuerError, "its issuer is not known here"),
    (jwt.InvalidAlgorithmError, f"its algorithm is not its key's, or none of {', '.join(ALGORITHMS)}"),
    (jwt.MissingRequiredClaimError, f"it needs {', '.join(REQUIRED)}"),
    (jwt.InvalidSignatureError, "no key of its issuer has signed it"),
    (jwt.PyJWKError, "no key of its issuer has signed it"),
)
"""What is wrong with a token, in words of ours: the library's may quote it."""


def _reason(error: Exception) -> str:
    return next((words for kind, words in _REASONS if isinstance(error, kind)), "it cannot be read")
