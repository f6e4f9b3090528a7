"""POST /v1/score in every format: the same scores, options from the query, and refusals that name what is wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.batches import ARROW, JSON, NDJSON, NPY, NPZ, PARQUET, WHOLE, as_json, as_npz, read_answer
from lossmeter import engine
from lossmeter.wire.compression import compressor
from servers import running
from wire.arrows import batch, lists, parquet, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server

RANDOM = np.random.default_rng(0)
LOGITS = 3 * RANDOM.standard_normal((20, 5))
TARGETS = RANDOM.integers(5, size=20)
WEIGHTS = RANDOM.random(20)
BATCH: dict[str, Any] = {"logits": LOGITS, "targets": TARGETS, "sample_weights": WEIGHTS}
OPTIONS = {"include": "losses,gradients,kl,probabilities", "label_smoothing": "0.1", "temperature": "2"}


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """A server with small limits."""
    with running(max_body_bytes=20_000, max_elements=500, max_classes=8) as server:
        yield server


def post(
    client: httpx2.Client, media_type: str, content: bytes, accept: str = "*/*", **query: str
) -> httpx2.Response:
    """A request in this format."""
    headers = {"Content-Type": media_type, "Accept": accept}
    return client.post("/v1/score", content=content, headers=headers, params=query)


@pytest.mark.parametrize("accept", [JSON, NPZ, ARROW])
@pytest.mark.parametrize("media_type", WHOLE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_format_gives_the_scores_of_the_engine(
    client: httpx2.Client, media_type: str, accept: str, dtype: type[Any]
) -> None:
    """To the bit, in the precision of what was sent; JSON has doubles."""
    sent: dict[str, Any] = BATCH | {"logits": LOGITS.astype(dtype)}
    response = post(client, media_type, WHOLE[media_type](sent), accept, **OPTIONS)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == accept
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    found = read_answer(accept, response.content)
    computed = np.float64 if media_type == JSON else dtype
    wanted = engine.score(
        **(sent | {"logits": sent["logits"].astype(computed)}),
        include=("losses", "gradients", "kl", "probabilities"),
        label_smoothing=0.1,
        temperature=2,
    )
    assert wanted.kl is not None
    for name, values in {
        "losses": wanted.losses,
        "gradients": wanted.gradients,
        "probabilities": wanted.probabilities,
        "kl.kl_divergence": wanted.kl.kl_divergence,
        "kl.by_class": wanted.kl.by_class,
    }.items():
        np.testing.assert_array_equal(np.asarray(found[name], dtype=computed), values, err_msg=name)
    assert found["loss"] == wanted.loss
    assert (found["count"], found["reduction"], found["unit"]) == (20, "mean", "nats")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_npz_and_arrow_answer_in_the_precision_of_the_request(
    client: httpx2.Client, dtype: type[Any]
) -> None:
    """float32 in is float32 out."""
    for accept in (NPZ, ARROW):
        found = read_answer(
            accept, post(client, NPZ, as_npz(BATCH | {"logits": LOGITS.astype(dtype)}), accept).content
        )
        assert found["gradients"].dtype == dtype
        assert found["losses"].dtype == dtype


def test_npy_has_the_predictions_and_the_query_the_rest(client: httpx2.Client) -> None:
    """And an answer of one array is npy, too."""
    file = io.BytesIO()
    np.save(file, LOGITS[:3])
    query = {"input": "logits", "targets": "0,1,2", "sample_weights": "1,2,0.5", "include": "gradients"}
    response = post(client, NPY, file.getvalue(), NPY, **query)
    assert response.status_code == 200, response.text
    found = np.load(io.BytesIO(response.content), allow_pickle=False)
    wanted = engine.score(logits=LOGITS[:3], targets=[0, 1, 2], sample_weights=[1, 2, 0.5])
    np.testing.assert_array_equal(found, wanted.gradients)
    losses = np.load(
        io.BytesIO(post(client, NPY, file.getvalue(), NPY, **query | {"include": "losses"}).content)
    )
    np.testing.assert_array_equal(losses, wanted.losses)
    several = post(client, NPY, file.getvalue(), NPY, **query | {"include": "gradients,probabilities"})
    assert several.status_code == 422
    assert several.json()["errors"][0]["pointer"] == "/include"


@pytest.mark.parametrize("media_type", [NPZ, PARQUET, ARROW])
def test_a_file_in_a_form(client: httpx2.Client, media_type: str) -> None:
    """As Swagger UI sends it; its first bytes tell what it is."""
    response = client.post(
        "/v1/score", files={"file": ("any.thing", WHOLE[media_type](BATCH))}, params={"unit": "bits"}
    )
    assert response.status_code == 200, response.text
    assert response.json()["loss"] == engine.score(**BATCH, unit="bits").loss


def test_columns_are_carried_into_an_arrow_answer(client: httpx2.Client) -> None:
    """In their order and with their types; into other answers they are not."""
    ids = pa.array([f"row {row}" for row in range(20)])
    days = pa.array([None, *range(19)], pa.date32())
    rows = batch(LOGITS, TARGETS, id=ids, day=days)
    for media_type, content in ((ARROW, stream([rows])), (PARQUET, parquet(pa.Table.from_batches([rows])))):
        answer = pa.ipc.open_stream(
            post(client, media_type, content, ARROW, include="losses").content
        ).read_all()
        assert answer.column_names == ["losses", "id", "day"]
        assert answer["id"].combine_chunks() == ids
        assert answer["day"].combine_chunks() == days
        assert "id" not in post(client, media_type, content).json()


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({"loss": "focal", "gamma": "0.5"}, {"loss": {"name": "focal", "gamma": 0.5}}),
        ({"loss": "focal", "alpha": "1,2,3,4,5"}, {"loss": {"name": "focal", "alpha": [1, 2, 3, 4, 5]}}),
        (
            {"loss": "poly1", "loss.epsilon": "2", "epsilon": "0.01"},
            {"loss": {"name": "poly1", "epsilon": 2}, "epsilon": 0.01},
        ),
        ({"loss": '{"name": "focal", "gamma": 3}'}, {"loss": {"name": "focal", "gamma": 3}}),
        ({"class_weights": "1,2,3,4,5e0"}, {"class_weights": [1, 2, 3, 4, 5]}),
        ({"class_weights": "balanced"}, {"class_weights": "balanced"}),
        (
            {"class_weights": '{"scheme": "effective_number"}'},
            {"class_weights": {"scheme": "effective_number"}},
        ),
        ({"ignore_index": "0", "normalization": "count"}, {"ignore_index": 0, "normalization": "count"}),
        ({"reduction": "sum", "unit": "bits"}, {"reduction": "sum", "unit": "bits"}),
        ({"labels": '{"model": "x"}'}, {}),
    ],
    ids=str,
)
def test_options_stand_in_the_query(
    client: httpx2.Client, query: dict[str, str], options: dict[str, Any]
) -> None:
    """Under the names and with the meaning that they have in JSON, whatever the body is."""
    wanted = engine.score(**BATCH, **options).loss
    for media_type in (NPZ, JSON):
        response = post(client, media_type, WHOLE[media_type](BATCH), **query)
        assert response.status_code == 200, response.text
        assert response.json()["loss"] == wanted


@pytest.mark.parametrize("media_type", [ARROW, PARQUET])
def test_columns_to_slice_by_are_named_in_the_query(client: httpx2.Client, media_type: str) -> None:
    """They say what JSON says in values; and they are carried all the same."""
    regions = ["north", "south"] * 10
    users = [row // 4 for row in range(20)]
    rows = batch(
        LOGITS, TARGETS, region=pa.array(regions), day=pa.array(users, pa.int8()), user=pa.array(users)
    )
    parts = [rows.slice(0, 12), rows.slice(12)]
    content = stream(parts) if media_type == ARROW else parquet(pa.Table.from_batches(parts))
    wanted = {"include": "state", "state_encoding": "binary"}
    found = post(client, media_type, content, slices="region,day", cluster="user", **wanted).json()
    sent = {
        "logits": LOGITS.tolist(),
        "targets": TARGETS.tolist(),
        "slices": {"region": regions, "day": list(map(str, users))},
        "cluster": users,
        "include": ["state"],
        "state_encoding": "binary",
    }
    assert found == client.post("/v1/score", json=sent).json()
    answer = post(client, media_type, content, ARROW, slices="region").content
    assert pa.ipc.open_stream(answer).read_all()["region"].to_pylist() == regions


@pytest.mark.parametrize(
    ("query", "pointer"),
    [({"slices": "colour"}, "/slices"), ({"cluster": "colour"}, "/cluster"), ({"slices": "gap"}, "/gap/1")],
)
def test_columns_to_slice_by_that_are_refused(
    client: httpx2.Client, query: dict[str, str], pointer: str
) -> None:
    """Those that are not there, and those with gaps."""
    rows = batch(LOGITS[:2], TARGETS[:2], gap=pa.array(["a", None]))
    for accept in (JSON, ARROW):
        response = post(client, ARROW, stream([rows]), accept, **query)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == pointer


def test_include_may_be_repeated(client: httpx2.Client) -> None:
    """As forms and generated clients write lists."""
    response = client.post(
        "/v1/score?include=losses&include=kl", content=as_npz(BATCH), headers={"Content-Type": NPZ}
    )
    assert {"losses", "kl"} <= response.json().keys()
    assert "gradients" not in response.json()


@pytest.mark.parametrize(
    ("query", "pointer", "says"),
    [
        ({"temperature": "0"}, "/temperature", "greater than 0"),
        ({"temperature": "nan"}, "/temperature", "must be a number"),
        ({"temperature": "1_0"}, "/temperature", "must be a number"),
        ({"temperature": "1e999"}, "/temperature", "too large"),
        ({"temperature": "1,2"}, "/temperature", "must be a number"),
        ({"reduction": "men"}, "/reduction", "did you mean mean"),
        ({"include": "loses"}, "/include/0", "did you mean losses"),
        ({"gamma": "2"}, "/gamma", "unknown field"),
        ({"tempratur": "2"}, "/tempratur", "did you mean temperature"),
        ({"loss": "focl"}, "/loss", "did you mean focal"),
        ({"loss": "focal", "gamma": "-1"}, "/loss/gamma", ">= 0"),
        ({"class_weights": "1,2"}, "/class_weights", "5"),
        ({"labels": "{"}, "", "begins like JSON"),
        ({"targets": "0,1"}, "/targets", "in the body and in the query"),
        ({f"x{number}": "" for number in range(100)}, "", "at most 64 options"),
    ],
    ids=str,
)
def test_options_that_are_refused(
    client: httpx2.Client, query: dict[str, str], pointer: str, says: str
) -> None:
    """As they are in JSON."""
    response = post(client, NPZ, as_npz(BATCH), **query)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer
    assert says in response.text


def test_an_option_is_sent_once(client: httpx2.Client) -> None:
    """Not in the body and in the query."""
    response = post(client, JSON, as_json(BATCH | {"temperature": 2.0}), temperature="2")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/temperature"
    assert post(client, JSON, b"[1]", temperature="2").status_code == 422


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


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"{NPZ}, {JSON};q=0.5", NPZ),
        (f"{NPZ};q=0.5, {JSON}", JSON),
        (f"{ARROW}, */*;q=0.1", ARROW),
        (f"{NPZ};q=0.3, */*;q=0.2", NPZ),
        ("application/problem+json", JSON),
    ],
)
def test_the_caller_chooses_the_answer(client: httpx2.Client, accept: str, given: str) -> None:
    """By weight; wildcards stand for JSON."""
    assert post(client, NPZ, as_npz(BATCH), accept).headers["Content-Type"] == given


@pytest.mark.parametrize("accept", [PARQUET, NDJSON, f"{NPZ};q=0"])
def test_what_cannot_be_answered_is_not_acceptable(client: httpx2.Client, accept: str) -> None:
    """Parquet is read, not written, and lines are for streams."""
    response = post(client, NPZ, as_npz(BATCH), accept)
    assert response.status_code == 406
    assert "application/json or application/x-npz" in response.text


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


WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "pyarrow" else found(name)
from starlette.testclient import TestClient
from lossmeter.api.app import create_app
client = TestClient(create_app())
def post(content, media_type, accept):
    answer = client.post("/v1/score", content=content, headers={"Content-Type": media_type, "Accept": accept})
    print(answer.status_code, answer.headers.get("accept", "-"), answer.text)
arrow, parquet = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
post(b"x", arrow, "*/*")
post(b"x", parquet, "*/*")
post(b'{"logits": [[1, 2]], "targets": [0]}', "application/json", arrow)
post(b'{"logits": [1, 2], "target": 0}', "application/x-ndjson", arrow)
post(b'{"logits": [1, 2], "target": 0}', "application/x-ndjson", "*/*")
print(client.post("/v1/score", files={"file": b"PAR1"}).text)
"""


def test_without_pyarrow() -> None:
    """The types that need it are refused and say why; everything else is as always."""
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, env=environment, check=True
    )
    first, second, third, fourth, rows, *_, form = done.stdout.splitlines()
    for line in (first, second):
        assert line.startswith("415 application/json, application/x-npz")
        assert "pip install 'lossmeter[arrow]'" in line
    for line in (third, fourth):
        assert line.startswith("406 ")
        assert "pip install 'lossmeter[arrow]'" in line
    assert rows.startswith("200 ")
    assert json.loads(form)["status"] == 415


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
