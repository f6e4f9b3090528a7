"""Batches that are refused in each format, by the name of what is wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.batches import ARROW, JSON, NDJSON, NPY, NPZ, PARQUET, WHOLE
from api.scored import BATCH, LOGITS, TARGETS, post
from wire.arrows import batch, lists, parquet, stream

if TYPE_CHECKING:
    import httpx2


def npz_of(**arrays: Any) -> bytes:  # noqa: ANN401 - anything that NumPy saves
    """A file with these arrays, objects among them."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


REFUSED = {
    "npz: an object": (NPZ, npz_of(logits=np.array([{}])), 400, "logits holds '|O'"),
    "npz: a stranger": (NPZ, npz_of(logit=LOGITS), 422, "/logit: unknown array; known: logits"),
    "npz: a value": (NPZ, npz_of(logits=LOGITS, targets=TARGETS + 1), 422, "/targets/"),
    "npz: a NaN": (NPZ, npz_of(logits=np.full((2, 2), np.nan), targets=[0, 1]), 422, "/logits/0/0"),
    "npz: too few": (NPZ, npz_of(logits=LOGITS, targets=TARGETS[:3]), 422, "/targets"),
    "npz: three axes": (NPZ, npz_of(logits=np.zeros((2, 2, 2)), targets=[0]), 400, "at most two axes"),
    "npz: nothing": (NPZ, npz_of(), 422, "/targets"),
    "npz: none": (NPZ, b"PK", 400, "not a zip file"),
    "npy: no name": (NPY, b"", 400, "the body is empty; application/x-npy is wanted"),
    "npy: what?": (NPY, b"x", 422, "?input=logits"),
    "parquet: a null": (
        PARQUET,
        parquet(pa.table({"logits_0": [1.0, None], "logits_1": [1.0, 2.0], "target": [0, 1]})),
        422,
        "/logits_0/1",
    ),
    "parquet: a value": (
        PARQUET,
        parquet(pa.table({"logits": lists(LOGITS), "target": TARGETS + 1})),
        422,
        "/target/",
    ),
    "parquet: no target": (PARQUET, parquet(pa.table({"logits": lists(LOGITS)})), 422, "/targets"),
    "parquet: none": (PARQUET, b"PAR1", 400, "damaged"),
    "arrow: a column's value": (
        ARROW,
        stream(
            [
                pa.RecordBatch.from_pydict(
                    {"logits_0": [0.0, 0.0], "logits_1": [0.0, np.nan], "target": [0, 1]}
                )
            ]
        ),
        422,
        "/logits_1/1",
    ),
    "arrow: nothing": (ARROW, stream([batch(LOGITS, TARGETS).slice(0, 0)]), 422, "/logits"),
    "arrow: none": (ARROW, b"{}", 400, "cut off"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_what_is_wrong(client: httpx2.Client, case: str) -> None:
    """The array or the column, and the row."""
    media_type, content, status, says = REFUSED[case]
    response = post(client, media_type, content)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert says in response.text


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"rubbish", "neither Parquet nor npz"), (b"PK\x03\x04", "not a zip file")],
)
def test_files_that_are_refused(client: httpx2.Client, content: bytes, says: str) -> None:
    """By what they are, whatever they are called."""
    response = client.post("/v1/score", files={"file": ("x.parquet", content)})
    assert response.status_code == 400
    assert says in response.text
    headers = {"Content-Type": "multipart/form-data"}
    assert client.post("/v1/score", content=b"x", headers=headers).status_code == 400


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([NPZ, NPY, PARQUET, ARROW, NDJSON, JSON, "multipart/form-data; boundary=x"]),
    st.sampled_from([JSON, NPZ, ARROW, NDJSON, "*/*"]),
    st.sampled_from(["", "gzip", "deflate", "zstd"]),
    st.one_of(st.binary(max_size=200), st.sampled_from([write(BATCH) for write in WHOLE.values()])),
    st.data(),
)
def test_rubbish_is_a_4xx(  # noqa: PLR0917 - drawn
    client: httpx2.Client, media_type: str, accept: str, coding: str, content: bytes, data: st.DataObject
) -> None:
    """Never a 5xx and never a hang, whatever is in the body, and whatever it is called."""
    if content and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        content = (
            content[:at] + data.draw(st.binary(max_size=8)) + content[at + data.draw(st.integers(0, 8)) :]
        )
    headers = {"Content-Type": media_type, "Accept": accept} | (
        {"Content-Encoding": coding} if coding else {}
    )
    response = client.post("/v1/score?input=logits", content=content, headers=headers)
    assert response.status_code in {200, 400, 406, 413, 415, 422}, response.text
