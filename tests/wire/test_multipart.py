"""Forms: the one file in them, where it lies."""

from __future__ import annotations

import httpx2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lossmeter.errors import MalformedBodyError
from lossmeter.wire.multipart import read_file

BOUNDARY = "----WebKitFormBoundaryx0"
HEAD = (
    b'Content-Disposition: form-data; name="file"; filename="x.npz"\r\nContent-Type: application/octet-stream'
)


def form(*contents: bytes) -> bytes:
    """A form with these files in it, as Chromium sends it."""
    parts = [
        b"--" + BOUNDARY.encode() + b"\r\n" + HEAD + b"\r\n\r\n" + content + b"\r\n" for content in contents
    ]
    return b"".join(parts) + b"--" + BOUNDARY.encode() + b"--\r\n"


@given(st.binary())
def test_the_file_comes_back(content: bytes) -> None:
    """Whatever bytes it has."""
    assume(b"\r\n--" + BOUNDARY.encode() not in content)
    assert read_file(form(content), BOUNDARY) == content


@given(st.binary(max_size=500))
def test_what_a_client_sends_is_read(content: bytes) -> None:
    """This one is httpx."""
    request = httpx2.Request("POST", "http://x/", files={"file": ("x.npz", content)})
    boundary = request.headers["content-type"].partition("boundary=")[2]
    assert read_file(request.read(), boundary) == content


def test_the_file_is_a_view() -> None:
    """Of the body, not a copy of it."""
    body = bytearray(form(bytes(1000)))
    found = read_file(body, BOUNDARY)
    assert np.shares_memory(np.frombuffer(found, np.uint8), np.frombuffer(body, np.uint8))


@pytest.mark.parametrize(
    ("body", "boundary", "says"),
    [
        (b"", BOUNDARY, "does not begin"),
        (form(b"x"), "other", "does not begin"),
        (form(b"x"), "", "no boundary"),
        (form(b"x"), "x" * 71, "no boundary"),
        (form(b"x"), "ü", "no boundary"),
        (form(), BOUNDARY, "does not begin"),
        (form(b"x", b"y"), BOUNDARY, "several parts"),
        (form(b"x")[:-4], BOUNDARY, "several parts"),
        (form(b"x")[:-30], BOUNDARY, "cut off"),
        (b"--" + BOUNDARY.encode() + b"\r\nno headers", BOUNDARY, "cut off"),
        (memoryview(form(b"x")), BOUNDARY, "A form in a form"),
    ],
)
def test_forms_that_are_refused(body: bytes, boundary: str, says: str) -> None:
    """Each with a sentence."""
    with pytest.raises(MalformedBodyError, match=says):
        read_file(body, boundary)
