"""Every endpoint tried from outside the allowed: who has no good key gets nothing, and nothing is told of keys."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING

import httpx2
import pytest

from access.endpoints import ENDPOINTS, GUARDED, ODD, ON_PAGES, OPEN, Endpoint, scope_of
from lossmeter import keys
from servers import PATIENCE

if TYPE_CHECKING:
    from access.conftest import Guarded

BODY = {"logits": [[1.0, 2.0]], "targets": [0]}
ALL = [*GUARDED, *ON_PAGES, *ODD]


def named(endpoint: Endpoint) -> str:
    """How a test case is called."""
    return " ".join(endpoint)


every = pytest.mark.parametrize("endpoint", ALL, ids=named)


def ask(
    guarded: Guarded, endpoint: Endpoint, query: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what the server answers; the path goes out as it is written."""
    connection = http.client.HTTPConnection(*guarded.server.address, timeout=PATIENCE)
    body = json.dumps(BODY) if endpoint.method == "POST" else None
    connection.request(
        endpoint.method, endpoint.path + query, body, {"Content-Type": "application/json", **headers}
    )
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, answer


def bearer(secret: str) -> dict[str, str]:
    """The header that carries it."""
    return {"Authorization": f"Bearer {secret}"}


WRONG_KEYS = [
    bearer("guess"),
    bearer(keys.new_secret()),
    {"X-API-Key": "guess"},
    {"X-API-Key": "\xfc\xff"},
    bearer("x" * 30_000),
    # A digest is what a thief of the file would have.
    bearer(keys.digest(b"plain-key").hex()),
    bearer("sha256:" + keys.digest(b"plain-key").hex()),
    bearer("plain-ke"),
    bearer("plain-key,plain-key"),
    bearer("PLAIN-KEY"),
]

NO_KEYS = [
    {"Authorization": "plain-key"},
    {"Authorization": "Token plain-key"},
    {"Authorization": "Bearer"},
    {"X-API-Key": ""},
    {"Cookie": "key=plain-key; session=plain-key"},
    {"X-Original-URL": "/health/live", "X-Rewrite-URL": "/health/live", "X-Forwarded-Prefix": "/health"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "Host": "localhost"},
]


def test_the_table_is_whole() -> None:
    """The endpoints are those of the application, and only probes are open."""
    assert {"/v1/score", "/v1/losses", "/openapi.json", "/health/ready"} <= {path for _, path in ENDPOINTS}
    assert {path for _, path in OPEN} <= {
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
    }
    assert len(GUARDED) >= 5


@every
def test_without_a_key(guarded: Guarded, endpoint: Endpoint) -> None:
    """401, which says how to send one, also where there is nothing."""
    status, headers, _ = ask(guarded, endpoint)
    assert status == 401
    assert "Bearer" in headers["www-authenticate"]


@every
def test_a_wrong_key(guarded: Guarded, endpoint: Endpoint) -> None:
    """403, or the server's own refusal of a header that is too long."""
    for headers in WRONG_KEYS:
        status = ask(guarded, endpoint, **headers)[0]
        assert status == 403 or (status in {400, 431} and len(str(headers)) > 16_384), headers


@every
def test_what_is_no_key(guarded: Guarded, endpoint: Endpoint) -> None:
    """A key anywhere else, and headers by which other servers were talked round, are no key: 401."""
    for headers in NO_KEYS:
        assert ask(guarded, endpoint, **headers)[0] == 401, headers


@every
def test_a_key_in_the_address(guarded: Guarded, endpoint: Endpoint) -> None:
    """It does not count, whoever's it is."""
    for name in ("api_key", "key", "access_token", "token", "X-API-Key", "Authorization"):
        assert ask(guarded, endpoint, f"?{name}={guarded.keys['admin']}")[0] == 401, name


@pytest.mark.parametrize("endpoint", [*GUARDED, *ODD], ids=named)
def test_a_wrong_scope(guarded: Guarded, endpoint: Endpoint) -> None:
    """403, which names the scope that it takes; the same with a token."""
    need = scope_of(endpoint)
    other = {"score": "metrics", "metrics": "score"}[need]
    for secret in (guarded.keys[other], guarded.issuer.token(scope=f"openid {other} Score scoreX")):
        status, headers, _ = ask(guarded, endpoint, **bearer(secret))
        assert status == 403
        assert f'scope="{need}"' in headers["www-authenticate"]


@pytest.mark.parametrize(
    "scope", [None, "", "openid", 7, {"score": True}, ["score", "admin"], "SCORE"], ids=str
)
def test_a_token_without_a_scope_of_ours(guarded: Guarded, scope: object) -> None:
    """403: who issues tokens for us says what they are for; ``scope`` is a string (RFC 8693)."""
    status, _, _ = ask(guarded, Endpoint("POST", "/v1/score"), **bearer(guarded.issuer.token(scope=scope)))
    assert status == (200 if scope == ["score", "admin"] else 403)


@every
def test_a_forged_token(guarded: Guarded, endpoint: Endpoint) -> None:
    """401 and the reason by its standard name, for each way to forge one."""
    for what, token in guarded.forgeries.items():
        status, headers, body = ask(guarded, endpoint, **bearer(token))
        assert status == 401, what
        assert 'error="invalid_token"' in headers["www-authenticate"], what
        assert len(body) < 1024, what


@every
def test_who_may(guarded: Guarded, endpoint: Endpoint) -> None:
    """A key and a token with the scope, either way of sending it, and whoever may do everything, come in."""
    need = scope_of(endpoint)
    for headers in (
        bearer(guarded.keys[need]),
        {"authorization": f"bearer  {guarded.keys[need]}"},
        {"X-API-Key": guarded.keys[need]},
        bearer(guarded.keys["admin"]),
        bearer(guarded.keys["plain"]),
        bearer(guarded.issuer.token(scope=need)),
        bearer(guarded.issuer.token(scope=None, scp=["x", need])),
    ):
        assert ask(guarded, endpoint, **headers)[0] not in {401, 403}


@pytest.mark.parametrize("endpoint", OPEN, ids=named)
def test_probes_need_nothing(guarded: Guarded, endpoint: Endpoint) -> None:
    """Nobody gives an orchestrator a key; a wrong one does no harm."""
    assert ask(guarded, endpoint)[0] == 200
    assert ask(guarded, endpoint, **bearer("guess"))[0] == 200


def test_browsers_send_the_key_as_a_password(guarded: Guarded) -> None:
    """Pages say so; elsewhere a password is no key, for browsers add it to what other sites make them send."""
    password = base64.b64encode(f"anyone:{guarded.keys['metrics']}".encode()).decode()
    basic = {"Authorization": f"Basic {password}"}
    status, headers, _ = ask(guarded, Endpoint("GET", "/docs"))
    assert (status, headers["www-authenticate"][:6]) == (401, "Basic ")
    assert ask(guarded, Endpoint("GET", "/docs"), **basic)[0] == 200
    assert ask(guarded, Endpoint("GET", "/openapi.json"), **basic)[0] == 200
    assert ask(guarded, Endpoint("POST", "/v1/score"), **basic)[0] == 401
    assert ask(guarded, Endpoint("GET", "/docs"), Authorization="Basic %%%")[0] == 401


def test_refused_before_the_body(guarded: Guarded) -> None:
    """Whoever has no key is answered before a byte of the body is sent."""
    connection = http.client.HTTPConnection(*guarded.server.address, timeout=PATIENCE)
    connection.putrequest("POST", "/v1/score")
    connection.putheader("Content-Length", "10000000")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


def test_refusals_are_problems(guarded: Guarded) -> None:
    """In the form of all other refusals; under /v2 in that of the Open Inference Protocol."""
    status, headers, body = ask(guarded, Endpoint("POST", "/v1/score"))
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == status == 401
    if any(path.startswith("/v2") for _, path in ENDPOINTS):
        _, headers, body = ask(guarded, Endpoint("GET", "/v2"))
        assert headers["content-type"] == "application/json"
        assert list(json.loads(body)) == ["error"]


def test_no_secret_is_written_down(guarded: Guarded) -> None:
    """After all of the above, neither the log nor an answer has a key or a token, wherever it was sent."""
    score = Endpoint("POST", "/v1/score")
    secrets = [*guarded.keys.values(), guarded.issuer.token(), *guarded.forgeries.values()]
    said = b""
    for secret in secrets:
        said += ask(guarded, score, f"?key={secret[:4000]}", **bearer(secret[:16_000]))[2]
        said += ask(guarded, score, **{"X-API-Key": secret[::-1][:8000]})[2]
    log = guarded.server.log.read_text() + said.decode()
    assert "/v1/score" in log
    for secret in secrets:
        for part in (secret, secret[::-1], *secret.split(".")[1:]):
            assert len(part) < 9 or part[:4000] not in log
    assert keys.digest(b"plain-key").hex() not in log


def test_the_document_lets_swagger_authorize(guarded: Guarded) -> None:
    """Both ways to send a key are declared, with the scope of each operation; probes have none."""
    response = guarded.client.get("/openapi.json", headers=bearer(guarded.keys["score"]))
    document = response.json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if "/health" in path:
                assert "security" not in operation
            else:
                need = scope_of(Endpoint("GET", path))
                assert operation["security"] == [{"bearer": [need]}, {"key": [need]}]


def test_answers_forbid_browsers_the_rest(guarded: Guarded) -> None:
    """No sniffing, no framing, no referrer; no page of another origin may read or send."""
    _, headers, _ = ask(
        guarded, Endpoint("GET", "/v1/losses"), Origin="https://evil.test", **bearer("plain-key")
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert not any(name.startswith("access-control") for name in headers)
    preflight = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    response = httpx2.options(f"{guarded.server.url}/v1/score", headers=preflight)
    assert response.status_code == 401
    assert "access-control-allow-origin" not in response.headers
