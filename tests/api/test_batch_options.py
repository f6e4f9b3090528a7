"""Options of a batch that is not JSON stand in the query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from api.batches import ARROW, JSON, NPZ, PARQUET, WHOLE, as_json, as_npz
from api.scored import BATCH, LOGITS, TARGETS, post
from lossmeter import engine
from wire.arrows import batch, parquet, stream

if TYPE_CHECKING:
    import httpx2


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
