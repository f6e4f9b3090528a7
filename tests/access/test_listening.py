"""Whom the service listens to: no strangers by accident, pages on a door of their own, web pages that are named."""

from __future__ import annotations

import json
import re
import subprocess

import httpx2
import pytest

from access.endpoints import ENDPOINTS, ON_PAGES
from commands import run, serving
from lossmeter import keys
from servers import PATIENCE, running

OPEN_TO_OTHERS = ["0.0.0.0", "::"]  # noqa: S104 - that is the question
KEY = f"ci sha256:{keys.digest(b'k').hex()} score"


def heard(*arguments: str, **settings: str) -> tuple[str, str]:
    """The first line of a service, and what it said on stderr until it was told to stop."""
    with serving(*arguments, errors=subprocess.PIPE, **settings) as (process, line):
        process.terminate()
        return line, process.communicate(timeout=PATIENCE)[1]


@pytest.mark.parametrize("host", OPEN_TO_OTHERS)
def test_strangers_are_never_served_by_accident(host: str) -> None:
    """Without keys, and without a word that this is meant, it does not start: exit 2, one line that says what to do."""
    done = run("serve", "--port", "0", "--host", host)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "LOSSMETER_API_KEYS_FILE" in done.stderr
    assert "LOSSMETER_ALLOW_ANONYMOUS=true" in done.stderr


def test_nor_by_the_second_door() -> None:
    """The second port is looked at like the first."""
    settings = {"LOSSMETER_MANAGEMENT_PORT": "0", "LOSSMETER_MANAGEMENT_HOST": "0.0.0.0"}  # noqa: S104
    assert run("serve", "--port", "0", **settings).returncode == 2


def test_strangers_may_be_allowed() -> None:
    """Then it warns, each time."""
    line, errors = heard("--host", "0.0.0.0", LOSSMETER_ALLOW_ANONYMOUS="true")  # noqa: S104
    assert " on http://0.0.0.0:" in line
    assert "warning: whoever reaches 0.0.0.0 may use this service" in errors


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("0.0.0.0", {"LOSSMETER_API_KEYS": KEY}),  # noqa: S104
        ("127.0.0.1", {}),
        ("127.8.8.8", {}),
        ("localhost", {}),
        ("127.0.0.1", {"LOSSMETER_ALLOW_ANONYMOUS": "true"}),
    ],
)
def test_no_warning_where_there_is_nothing_to_warn_of(host: str, settings: dict[str, str]) -> None:
    """With keys anywhere, without keys on this machine."""
    line, errors = heard("--host", host, **settings)
    assert line.startswith("lossmeter ")
    assert "warning" not in errors


def test_a_second_door() -> None:
    """Pages and metrics are on the second port alone, whatever the request says of itself; the rest is on both."""
    with serving(LOSSMETER_MANAGEMENT_PORT="0", LOSSMETER_WORKERS="2") as (_, line):
        found = re.search(r" on (\S+), docs on (\S+)/docs\n", line)
        assert found
        first, second = found.groups()
        assert first != second
        for method, path in ENDPOINTS:
            statuses = [httpx2.request(method, door + path).status_code for door in (first, second)]
            expected = 404 if (method, path) in ON_PAGES or path == "/metrics" else statuses[1]
            assert statuses[0] == expected, path
        for headers in (
            {"Host": second.partition("://")[2]},
            {"X-Forwarded-Port": second.rpartition(":")[2]},
        ):
            assert httpx2.get(first + "/docs", headers=headers).status_code == 404
        assert httpx2.get(second + "/docs").status_code == 200
        assert httpx2.get(second + "/openapi.json").status_code == 200


def test_web_pages_that_are_named_may_call() -> None:
    """The browser is told so before and with the answer, also with a refusal; other pages are told nothing."""
    page, other = "https://app.example", "https://evil.test"
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    with running(cors_origins=f"{page}, http://localhost:3000", api_keys="plain") as server:
        preflight = httpx2.options(f"{server.url}/v1/score", headers={"Origin": page, **asked})
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == page
        assert "access-control-allow-credentials" not in preflight.headers
        answers = {
            origin: httpx2.post(f"{server.url}/v1/score", headers={"Origin": origin})
            for origin in (page, other)
        }
        assert {answer.status_code for answer in answers.values()} == {401}
        assert answers[page].headers["Access-Control-Allow-Origin"] == page
        assert "WWW-Authenticate" in answers[page].headers["Access-Control-Expose-Headers"]
        assert "access-control-allow-origin" not in answers[other].headers
        refused = httpx2.options(f"{server.url}/v1/score", headers={"Origin": other, **asked})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


def test_pages_may_be_open_and_the_rest_not() -> None:
    """By default the pages need no key where the rest does; the document asks for one where one is needed."""
    with running(api_keys="plain") as server:
        for method, path in ON_PAGES:
            assert httpx2.request(method, server.url + path).status_code in {200, 404}
        document = json.loads(httpx2.get(f"{server.url}/openapi.json").text)
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_metrics_need_their_scope_unless_told_otherwise() -> None:
    """Whoever may score may not read what others score."""
    with running(api_keys=KEY) as server:
        assert httpx2.get(f"{server.url}/metrics").status_code == 401
        assert httpx2.get(f"{server.url}/metrics", headers={"X-API-Key": "k"}).status_code == 403
    with running(api_keys=KEY, metrics_need_key=False) as server:
        assert httpx2.get(f"{server.url}/metrics").status_code in {200, 404}
