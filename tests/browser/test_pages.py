"""The pages in a real browser: what a person sees and does, and that nobody else hears of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest

from servers import running

if TYPE_CHECKING:
    from browser.chromium import Page

OPERATION = '.opblock-post:has([data-path="/v1/score"])'


def assert_quiet(page: Page) -> None:
    """Only this machine was asked, and nothing was complained about."""
    # Data and blob addresses are content that is in the page already.
    hosts = {urlsplit(url).hostname for url in page.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}, page.requests
    assert not page.complaints


def test_swagger_ui_scores_the_five_class_example(address: str, page: Page) -> None:
    """A person chooses an example in Swagger UI, presses Execute, and reads ln 10."""
    page.open(f"{address}/docs")
    page.click(f"{OPERATION} .opblock-summary-control")
    page.choose(f"{OPERATION} .examples-select-element", "five classes")
    page.click(f"{OPERATION} .try-out__btn")
    page.click(f"{OPERATION} .execute")
    assert "2.302585" in page.text(
        f"{OPERATION} .live-responses-table .response-col_description .highlight-code"
    )
    assert page.text(f"{OPERATION} .live-responses-table .response .response-col_status").startswith("200")
    assert_quiet(page)


@pytest.mark.parametrize("media_type", ["multipart/form-data", "application/x-npz"])
def test_swagger_ui_scores_a_file(address: str, page: Page, media_type: str) -> None:
    """A person chooses a file with a button, presses Execute, and reads ln 10."""
    file = io.BytesIO()
    np.savez(file, probabilities=[[0.1, 0.5, 0.1, 0.1, 0.2]], targets=[0])
    page.open(f"{address}/docs")
    page.click(f"{OPERATION} .opblock-summary-control")
    page.click(f"{OPERATION} .try-out__btn")
    page.choose(f"{OPERATION} .opblock-section-request-body .content-type", media_type)
    page.upload(f"{OPERATION} .opblock-section-request-body input[type=file]", "batch.npz", file.getvalue())
    page.click(f"{OPERATION} .execute")
    assert page.text(f"{OPERATION} .live-responses-table .response .response-col_status").startswith("200")
    assert "2.302585" in page.text(
        f"{OPERATION} .live-responses-table .response-col_description .highlight-code"
    )
    assert_quiet(page)


@pytest.mark.parametrize("scheme", ["bearer", "key"])
def test_swagger_ui_authorizes(page: Page, scheme: str) -> None:
    """Where keys are asked, a person presses Authorize, types a key, and may then execute."""
    with running(api_keys="the-key") as server:
        page.open(f"{server.url}/docs")
        page.click(".scheme-container .authorize")
        field = {"bearer": "#auth-bearer-value", "key": "#api_key_value"}[scheme]
        page.type(field, "the-key")
        page.click(f".auth-container:has({field}) .auth-btn-wrapper .authorize")
        page.click(".auth-container .btn-done")
        page.click(f"{OPERATION} .opblock-summary-control")
        page.choose(f"{OPERATION} .examples-select-element", "five classes")
        page.click(f"{OPERATION} .try-out__btn")
        page.click(f"{OPERATION} .execute")
        assert page.text(f"{OPERATION} .live-responses-table .response .response-col_status").startswith(
            "200"
        )
        assert_quiet(page)


def test_redoc_shows_the_operation(address: str, page: Page) -> None:
    """ReDoc renders the document's title and the scoring operation, without its maker's logo."""
    page.open(f"{address}/redoc")
    assert "lossmeter" in page.text("main h1")
    page.wait_for("document.querySelector('main').innerText.includes('/v1/score')")
    # The logo would be asked for once the menu is complete, which its last line tells.
    page.wait_for("document.body.innerText.includes('API docs by Redocly')")
    page.wait_for("document.readyState === 'complete'")
    assert page.evaluate("document.images.length") == 0
    assert_quiet(page)


def test_the_pages_lead_to_each_other(address: str, page: Page) -> None:
    """From either page one click leads to the other."""
    page.open(f"{address}/docs")
    page.click('header a[href="/redoc"]')
    page.click('header a[href="/docs"]:not([aria-current])')
    assert page.wait_for("document.querySelector('.swagger-ui .info .title')?.innerText").startswith(
        "lossmeter"
    )
    assert_quiet(page)
