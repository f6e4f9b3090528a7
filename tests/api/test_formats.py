"""POST /v1/score in every format: the same scores, in the format that the caller likes best."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from api.batches import ARROW, JSON, NDJSON, NPY, NPZ, PARQUET, WHOLE, as_npz, read_answer
from api.scored import BATCH, LOGITS, OPTIONS, TARGETS, post
from lossmeter import engine
from wire.arrows import batch, parquet, stream

if TYPE_CHECKING:
    import httpx2


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
