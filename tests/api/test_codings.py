"""Content codings of bodies and of answers."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from api.batches import ARROW, JSON, NPZ, WHOLE, as_json
from lossmeter import engine
from lossmeter.wire.compression import compressor

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2


from api.scored import BATCH

RANDOM = np.random.default_rng(3)
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


def zstd(body: bytes) -> bytes:
    """As our own compressor does it; the wire's tests compare it with others."""
    encoder = compressor("zstd")
    return encoder.feed(body) + encoder.finish()


@pytest.mark.parametrize("media_type", WHOLE)
@pytest.mark.parametrize("coding", [*CODINGS, "zstd"])
def test_bodies_in_a_content_coding(client: httpx2.Client, media_type: str, coding: str) -> None:
    """Every format in every coding."""
    content = CODINGS.get(coding, zstd)(WHOLE[media_type](BATCH))
    headers = {"Content-Type": media_type, "Content-Encoding": coding}
    response = client.post("/v1/score", content=content, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["loss"] == engine.score(**BATCH).loss


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_a_coding_that_is_cut_off(client: httpx2.Client, cut: int) -> None:
    """Is malformed, not half a batch."""
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    response = client.post("/v1/score", content=gzip.compress(as_json(BATCH))[:cut], headers=headers)
    assert response.status_code == 400
    assert "ends too early" in response.text


LARGE: dict[str, Any] = {
    "logits": RANDOM.standard_normal((400, 20)),
    "targets": RANDOM.integers(20, size=400),
}


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("zstd", "zstd"),
        ("gzip, deflate, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*, zstd;q=0", "gzip"),
        ("br", None),
        ("identity", None),
        ("", None),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
    ],
)
def test_large_answers_are_compressed_as_the_caller_likes(
    client: httpx2.Client, accept_encoding: str, coding: str | None
) -> None:
    """And say so; what they say is the same."""
    headers = {"Content-Type": JSON, "Accept-Encoding": accept_encoding}
    response = client.post("/v1/score", content=as_json(LARGE), headers=headers)
    assert response.headers.get("Content-Encoding") == coding
    assert response.json()["losses"] == np.asarray(engine.score(**LARGE).losses).tolist()


def test_huge_answers_are_compressed_in_parts(client: httpx2.Client) -> None:
    """While they are written."""
    huge: dict[str, Any] = {
        "logits": RANDOM.standard_normal((4000, 20)),
        "targets": RANDOM.integers(20, size=4000),
    }
    response = client.post("/v1/score", content=as_json(huge), headers={"Content-Type": JSON})
    assert response.headers["Content-Encoding"] == "zstd"
    assert response.headers["Transfer-Encoding"] == "chunked"
    np.testing.assert_array_equal(response.json()["gradients"], engine.score(**huge).gradients)


@pytest.mark.parametrize("accept", [JSON, NPZ, ARROW])
def test_small_and_binary_answers_are_not_compressed(client: httpx2.Client, accept: str) -> None:
    """The small ones fit the first packets anyway, and mantissas do not shrink."""
    headers = {"Content-Type": JSON, "Accept": accept}
    sent = BATCH if accept == JSON else LARGE
    response = client.post("/v1/score", content=as_json(sent), headers=headers)
    assert "Content-Encoding" not in response.headers
