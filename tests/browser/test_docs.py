"""The files behind the pages: what was vendored, how it is addressed, what caches and browsers are told."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lossmeter.api.docs import STATIC, add_docs

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = ("/docs", "/redoc")

OURS = {"pages.css", "redoc-init.js", "redoc.html", "swagger-init.js", "swagger.html", "SHA256SUMS"}


def vendored() -> list[tuple[str, str]]:
    """What SHA256SUMS records: digest and name of every file made by others."""
    lines = STATIC.joinpath("SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return [(digest, name) for digest, _, name in (line.partition("  ") for line in lines if line[0] != "#")]


def client_at(root_path: str) -> TestClient:
    """A client of an app that a proxy has mounted there."""
    app = FastAPI(docs_url=None, redoc_url=None)
    add_docs(app)
    return TestClient(app, root_path=root_path)


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of an app that has nothing but its documentation."""
    with client_at("") as client:
        yield client


def addresses(html: str) -> list[str]:
    """Every address that a page names."""
    return re.findall(r'(?:src|href|data-openapi)="([^"]*)"', html)


@pytest.mark.parametrize(("digest", "name"), vendored(), ids=[name for _, name in vendored()])
def test_vendored_files_are_as_published(digest: str, name: str) -> None:
    """A file made by others is, byte for byte, the one whose hash was recorded."""
    assert hashlib.sha256(STATIC.joinpath(name).read_bytes()).hexdigest() == digest


def test_nothing_is_in_the_folder_unrecorded() -> None:
    """Every file beside the pages is either ours or recorded, and licences are among them."""
    names = {name for _, name in vendored()}
    assert {path.name for path in STATIC.iterdir()} - OURS == names
    assert {"swagger-ui.LICENSE.txt", "swagger-ui.NOTICE.txt", "redoc.LICENSE.txt"} <= names


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("root_path", ["", "/behind/a-proxy"])
def test_every_address_is_our_own(page: str, root_path: str) -> None:
    """A page names only addresses below the place where the service is mounted, and they exist."""
    client = client_at(root_path)
    found = addresses(client.get(root_path + page).text)
    assert len(found) > len(PAGES)
    for address in found:
        assert address.startswith(f"{root_path}/")
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_strict(client: TestClient, page: str) -> None:
    """A page holds no inline script, and its policy allows none, nor any other host, nor a frame."""
    answer = client.get(page)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=", answer.text)
    policy = dict(
        directive.split(" ", 1) for directive in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_root_path_cannot_break_out_of_an_attribute() -> None:
    """Where a proxy says that it mounted us is text, not markup."""
    html = client_at('/"><script>').get("/docs").text
    assert "/&quot;&gt;&lt;script&gt;/docs/assets/" in html
    assert '/">' not in html


def test_versioned_files_are_kept_for_a_year(client: TestClient) -> None:
    """An address with the right version is immutable; one without, or with an old one, is asked for again."""
    versioned = next(
        address for address in addresses(client.get("/docs").text) if "swagger-ui.css" in address
    )
    assert client.get(versioned).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get(versioned + "0").headers["Cache-Control"] == "no-cache"
    assert client.get("/docs/assets/swagger-ui.css").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("weak", ["", "W/"])
def test_a_known_file_is_not_sent_again(client: TestClient, weak: str) -> None:
    """A caller who has the file, even if a proxy compressed it meanwhile, is told so."""
    tag = client.get("/docs/assets/pages.css").headers["ETag"]
    answer = client.get("/docs/assets/pages.css", headers={"If-None-Match": weak + tag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    "name", ["nothing.js", "swagger.html", "SHA256SUMS", "..%2Fdocs.py", "%2e%2e/docs.py"]
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    """Templates, records and source code are no assets."""
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_scripts_have_the_media_type_that_nosniff_asks_for(client: TestClient) -> None:
    """Whatever the machine's own table says, a script is text/javascript."""
    assert client.get("/docs/assets/swagger-init.js").headers["Content-Type"].startswith("text/javascript")


def test_the_pages_are_not_in_the_document(client: TestClient) -> None:
    """What documents the service is no part of its interface."""
    assert client.get("/openapi.json").json()["paths"] == {}
