"""An identity provider for tests: keys made on the spot, the document that publishes them, and tokens good and bad."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from collections.abc import Mapping

AUDIENCE = "lossmeter-test"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Issuer:
    """Someone who signs tokens.

    Attributes:
        name: its ``iss``.
        key: what it signs with.
        algorithm: how.
        key_id: the ``kid`` under which the key is published.
    """

    name: str = "https://issuer.test"
    key: PrivateKey = field(default_factory=rsa_key)
    algorithm: str = "RS256"
    key_id: str = "one"

    @cached_property
    def public(self) -> dict[str, Any]:
        """The public key as a JWK."""
        public = self.key.public_key()
        match public:
            case rsa.RSAPublicKey():
                jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
            case ec.EllipticCurvePublicKey():
                jwk = ECAlgorithm.to_jwk(public, as_dict=True)
            case ed25519.Ed25519PublicKey():
                jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {**jwk, "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    @property
    def pem(self) -> bytes:
        """The public key as everyone may read it."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def claims(self, **changed: object) -> dict[str, Any]:
        """Those of a good token with the scope ``score``, with some changed; None leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "someone",
            "iat": now,
            "nbf": now - 1,
            "exp": now + 600,
            "scope": "openid score",
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    def token(self, headers: Mapping[str, Any] | None = None, **changed: object) -> str:
        """A token of this issuer, signed."""
        said = {"kid": self.key_id, **(headers or {})}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(self.claims(**changed), self.key, self.algorithm, headers=said)


def document(*issuers: Issuer) -> str:
    """The keys of issuers as they publish them (JWKS)."""
    return json.dumps({"keys": [issuer.public for issuer in issuers]})


DEEP = b"{" + b'"a":{' * 1800 + b"}" * 1801
HUGE = b'"exp": ' + b"9" * 5000


def encoded(part: bytes) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(claims: Mapping[str, Any], algorithm: str = "none", signature: bytes = b"") -> str:
    """A token that says it is signed this way, with whatever behind the second dot."""
    parts = [json.dumps({"alg": algorithm, "typ": "JWT", "kid": "one"}).encode(), json.dumps(claims).encode()]
    return ".".join(map(encoded, [*parts, signature]))


def forgeries(issuer: Issuer) -> dict[str, str]:
    """Tokens that nobody may get in with, by what is wrong with each."""
    now = int(time.time())
    stranger = Issuer(issuer.name)
    good = issuer.token()
    head, body, signature = good.split(".")
    richer = encoded(json.dumps(issuer.claims(scope="admin")).encode())
    # RFC 8725, 2.1: the public key as the secret of an HMAC, if the verifier lets the token choose the algorithm.
    confused = unsigned(issuer.claims(), "HS256").rpartition(".")[0]
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac = encoded(hmac.sign(confused.encode(), issuer.pem))
    return {
        "expired": issuer.token(exp=now - 60),
        "not valid yet": issuer.token(nbf=now + 600),
        "without an end": issuer.token(exp=None),
        "of nobody": issuer.token(iss=None),
        "of another issuer": issuer.token(iss="https://evil.test"),
        "of an issuer that is a list": unsigned(issuer.claims(iss=[issuer.name])),
        "for another audience": issuer.token(aud="someone-else"),
        "for no audience": issuer.token(aud=None),
        "alg none": unsigned(issuer.claims()),
        "alg None": unsigned(issuer.claims(), "None"),
        "alg nOnE with a signature": unsigned(issuer.claims(), "nOnE", b"x"),
        "alg HS256 with the public key": f"{confused}.{mac}",
        "alg PS256 where the key is for RS256": jwt.encode(
            issuer.claims(), issuer.key, "PS256", headers={"kid": "one"}
        ),
        "signed by a stranger": stranger.token(),
        "signed by a stranger, who says where the key is": stranger.token(
            {"jku": "http://127.0.0.1:9/jwks", "jwk": stranger.public, "x5u": "http://127.0.0.1:9/x"}
        ),
        "under a key id that is none": issuer.token({"kid": "../../etc/passwd"}),
        "without a signature": f"{head}.{body}.",
        "with other claims": f"{head}.{richer}.{signature}",
        "with a critical header": issuer.token({"crit": ["exp"], "exp": now}),
        "of nonsense": "eyJhbGciOiJSUzI1NiJ9.bm9uc2Vuc2U.AAAA",
        "of half a header": "eyJ.e.e",
        "of a deep head": f"{encoded(DEEP)}.{body}.{signature}",
        "of deep claims": f"{head}.{encoded(DEEP)}.{signature}",
        "of claims that are a list": f"{head}.{encoded(b'[1]')}.{signature}",
        "of a head that is a string": f"eyJ{head[3:]}AA.{body}.{signature}",
        "that ends never": unsigned(issuer.claims(exp=float("inf")), "RS256"),
        "that ends at 10^400": f"{head}.{encoded(json.dumps(issuer.claims()).encode()[:-1] + b', %s}' % HUGE)}.x",
        "that ends when it likes": issuer.token(exp="tomorrow"),
        "signed, and ends never": issuer.token(exp=float("inf")),
        "signed, and ends at no number": issuer.token(exp=float("nan")),
        "signed, for an object": issuer.token(aud={"x": 1}),
        "longer than any": issuer.token(more="x" * 20_000),
    }
