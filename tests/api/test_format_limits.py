"""Limits hold in every format, also of what is unpacked."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import pytest

from api.batches import JSON, WHOLE
from servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

from api.scored import post

RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server with small limits."""
    with running(max_body_bytes=20_000, max_elements=500, max_classes=8) as server:
        yield server


@pytest.mark.parametrize("media_type", WHOLE)
def test_limits_hold_in_every_format(tight: Server, media_type: str) -> None:
    """Of bytes, of numbers and of classes."""
    with httpx2.Client(base_url=tight.url) as client:
        write = WHOLE[media_type]
        many = post(client, media_type, write({"logits": np.zeros((600, 1)), "targets": np.zeros(600, int)}))
        assert many.status_code == 413, many.text
        large = post(
            client, media_type, write({"logits": RANDOM.random((600, 8)), "targets": np.zeros(600, int)})
        )
        assert large.status_code == 413
        wide = post(client, media_type, write({"logits": np.zeros((2, 9)), "targets": np.zeros(2, int)}))
        assert wide.status_code == 422
        assert "at most 8" in wide.text


@pytest.mark.parametrize("path", ["/v1/softmax", "/v1/score"])
def test_a_bomb_is_stopped_at_the_limit(tight: Server, path: str) -> None:
    """The limit is of what a body decompresses to; the connection is closed with an answer that says so."""
    content = gzip.compress(b" " * 10_000_000)
    assert len(content) < 20_000
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    response = httpx2.post(tight.url + path, content=content, headers=headers)
    assert response.status_code == 413
    assert response.json()["max_body_bytes"] == 20_000
    assert response.headers["Connection"] == "close"
