"""Tokens of an identity provider: every algorithm, keys that rotate, and an issuer that is slow, wrong or away."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from access.identity import AUDIENCE, Issuer, document, rsa_key
from lossmeter.api.access.jwks import MOST_BYTES
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCORE = {"logits": [[1.0, 2.0]], "targets": [0]}


def score(server: Server, token: str) -> httpx2.Response:
    """The answer to a caller with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.post(f"{server.url}/v1/score", json=SCORE, headers=headers, timeout=PATIENCE)


Answer = tuple[int, dict[str, str], bytes]


class Provider(ThreadingHTTPServer):
    """Publishes keys.

    Attributes:
        says: status, headers and body of its answers, by path.
        asked: how often it was asked.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says: dict[str, Answer] = {}
        self.asked = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        status, headers, body = self.server.says[unquote(self.path)]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def provider() -> Iterator[Provider]:
    """A running one."""
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def taking(place: str, *names: str) -> dict[str, Any]:
    """The settings that take tokens of these issuers."""
    return {"jwt_issuers": json.dumps(dict.fromkeys(names, place)), "jwt_audience": AUDIENCE}


def test_every_algorithm(tmp_path: Path) -> None:
    """RSA, elliptic curves and Ed25519 get in with the key that is theirs; a key too short to be one does not."""
    issuers = [
        *(
            Issuer(algorithm=name, key_id=name)
            for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
        ),
        Issuer(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", key_id="ES256"),
        Issuer(key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384", key_id="ES384"),
        Issuer(key=ec.generate_private_key(ec.SECP521R1()), algorithm="ES512", key_id="ES512"),
        Issuer(key=ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA", key_id="EdDSA"),
    ]
    short = Issuer(key=rsa_key(1024), key_id="short")
    with pytest.warns(match="key"):
        weak = short.token()
    file = tmp_path / "jwks.json"
    file.write_text(document(*issuers, short))
    with running(**taking(str(file), issuers[0].name)) as server:
        for issuer in issuers:
            assert score(server, issuer.token()).status_code == 200, issuer.algorithm
        assert score(server, weak).status_code == 401


def test_a_shared_secret_is_no_key(tmp_path: Path) -> None:
    """Keys that are published can be read by everyone: a token signed with one that is symmetric is anyone's."""
    good = Issuer()
    file = tmp_path / "jwks.json"
    secret = {
        "kty": "oct",
        "kid": "one",
        "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
        "alg": "HS256",
    }
    file.write_text(json.dumps({"keys": [secret, {**good.public, "kid": "enc", "use": "enc"}]}))
    with running(**taking(str(file), good.name)) as server:
        assert score(server, good.token({"kid": "enc"})).status_code == 401
        assert score(server, good.token({"kid": "one"})).status_code == 401


def test_keys_rotate_and_guessing_ids_asks_nobody() -> None:
    """A new key id is asked for, once in a while; made-up ones do not make us ask each time."""
    old, new = Issuer(key_id="old"), Issuer(key_id="new")
    with provider() as issuing, running(**taking(f"{issuing.url}/keys", old.name)) as server:
        issuing.says["/keys"] = (200, {}, document(old).encode())
        assert score(server, old.token()).status_code == 200
        assert [score(server, old.token({"kid": str(n)})).status_code for n in range(20)] == [401] * 20
        assert issuing.asked == 1
        issuing.says["/keys"] = (200, {}, document(old, new).encode())
        deadline = time.monotonic() + PATIENCE
        while score(server, new.token()).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert issuing.asked == 2
        issuing.says["/keys"] = (500, {}, b"")
        assert score(server, old.token()).status_code == 200


NO_KEYS: dict[str, Answer] = {
    "error": (500, {}, b""),
    "redirect": (302, {"Location": "/good"}, b""),
    "html": (200, {}, b"<html>"),
    "no UTF-8": (200, {}, b"\xff\xfe"),
    "list": (200, {}, b"[]"),
    "none": (200, {}, b'{"keys": []}'),
    "broken": (200, {}, b'{"keys": [{"kty": "RSA", "n": 7}]}'),
    "large": (200, {}, b" " * (MOST_BYTES + 1)),
    "deep": (200, {}, b"[" * 100_000),
}


def test_an_issuer_that_says_something_else() -> None:
    """Nobody knows whether a token is good: 503 with the time to come again; keys and other issuers go on."""
    issuer = Issuer()
    with provider() as issuing:
        issuing.says |= {f"/{what}": says for what, says in NO_KEYS.items()}
        issuing.says["/good"] = (200, {}, document(issuer).encode())
        places = {what: f"{issuing.url}/{quote(what)}" for what in (*NO_KEYS, "good")}
        # Nobody listens there.
        places["away"] = "http://127.0.0.1:9/keys"
        with running(jwt_issuers=json.dumps(places), jwt_audience=AUDIENCE, api_keys="plain") as server:
            for what in (*NO_KEYS, "away"):
                answer = score(server, issuer.token(iss=what))
                assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), what
                assert f"cannot get keys from {places[what]}" in server.log.read_text()
            assert issuing.asked == len(NO_KEYS)
            assert score(server, "plain").status_code == 200
            assert score(server, issuer.token(iss="good")).status_code == 200


def test_a_token_has_the_rate_of_its_subject(tmp_path: Path) -> None:
    """Not of the token: who gets a new one does not start anew."""
    issuer = Issuer()
    file = tmp_path / "jwks.json"
    file.write_text(document(issuer))
    with running(**taking(str(file), issuer.name), rate_per_key="2/h") as server:
        mine = [score(server, issuer.token(jti=str(n))).status_code for n in range(3)]
        assert mine == [200, 200, 429]
        assert score(server, issuer.token(sub="another")).status_code == 200


def test_without_a_key_id_the_only_key_is_meant(tmp_path: Path) -> None:
    """With several, nobody guesses."""
    one, two = Issuer("https://one.test"), Issuer("https://two.test", key_id="two")
    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.write_text(document(one))
    both.write_text(document(one, two))
    places = {one.name: str(alone), two.name: str(both)}
    with running(jwt_issuers=json.dumps(places), jwt_audience=AUDIENCE) as server:
        assert score(server, one.token({"kid": None})).status_code == 200
        assert score(server, two.token({"kid": None})).status_code == 401
        assert score(server, two.token()).status_code == 200
        # Each issuer's keys are good for its own tokens alone.
        assert score(server, two.token(iss=one.name)).status_code == 401
