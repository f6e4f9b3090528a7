"""POST /v2/models/{model}/infer: the engine's numbers, to the bit, by every way that a tensor can travel."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossmeter import engine
from v2.messages import HEADER, message, outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from numpy.typing import NDArray

RANDOM = np.random.default_rng(11)
LOGITS = RANDOM.normal(0, 3, (6, 4))
TARGETS = RANDOM.integers(0, 4, 6)
BATCH: dict[str, Any] = {"logits": LOGITS, "targets": TARGETS}
EVERYTHING = (
    "probabilities",
    "losses",
    "kl_divergence",
    "loss",
    "gradients",
    "cross_entropy",
    "target_entropy",
)


def infer(
    client: httpx2.Client,
    arrays: dict[str, Any],
    model: str = "cross_entropy",
    *,
    binary: bool = True,
    headers: dict[str, str] | None = None,
    **members: object,
) -> httpx2.Response:
    """The answer of a model."""
    body, needed = message(arrays, binary=binary, **members)
    return client.post(f"/v2/models/{model}/infer", content=body, headers=needed | (headers or {}))


def expected(scores: engine.Scores) -> dict[str, NDArray[Any]]:
    """All outputs of a scoring, by name."""
    kl = scores.kl
    assert kl is not None
    found = {
        "losses": scores.losses,
        "gradients": scores.gradients,
        "probabilities": scores.probabilities,
        "kl_divergence": kl.kl_divergence,
        "cross_entropy": kl.cross_entropy,
        "target_entropy": kl.target_entropy,
        "loss": np.array([scores.loss]),
    }
    return {name: values for name, values in found.items() if values is not None}


def batch_of(loss: str, dtype: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - whatever NumPy calls a dtype
    """A batch that suits a loss: soft truths, or labels."""
    if engine.LOSSES[loss].binary:
        return {"logits": LOGITS.astype(dtype), "targets": np.arange(24).reshape(6, 4) % 2 == 0}
    shares = RANDOM.random((6, 4)) + 0.01
    return {"logits": LOGITS.astype(dtype), "targets": shares / shares.sum(axis=1, keepdims=True)}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("loss", engine.LOSSES)
def test_every_loss_is_a_model(client: httpx2.Client, loss: str, dtype: Any) -> None:  # noqa: ANN401
    """Every output of every loss is the engine's, to the bit and in its dtype, in both forms, in the order wanted."""
    arrays = batch_of(loss, dtype)
    truth = arrays["targets"].astype(np.uint8) if arrays["targets"].dtype == bool else arrays["targets"]
    scores = engine.score(
        logits=arrays["logits"],
        targets=truth,
        loss=loss,
        reduction="mean",
        include=("losses", "gradients", "kl", "probabilities"),
    )
    for binary in (True, False):
        wanted = [{"name": name, "parameters": {"binary_data": binary}} for name in EVERYTHING]
        response = infer(client, arrays, loss, outputs=wanted, parameters={"reduction": "mean"})
        found = outputs(response)
        assert tuple(found) == EVERYTHING
        for name, values in expected(scores).items():
            assert found[name].dtype == (np.float64 if name == "loss" else values.dtype), name
            np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("binary", [True, False])
def test_what_is_usual(client: httpx2.Client, binary: bool) -> None:  # noqa: FBT001 - a case
    """Without outputs and parameters: losses and gradients of the sum, as JSON, with the id repeated."""
    response = infer(client, BATCH, binary=binary, id="seven")
    document = response.json()
    assert {name: document[name] for name in ("model_name", "model_version", "id")} == {
        "model_name": "cross_entropy",
        "model_version": "1",
        "id": "seven",
    }
    scores = engine.score(**BATCH, reduction="none")
    found = outputs(response)
    assert tuple(found) == ("losses", "gradients")
    np.testing.assert_array_equal(found["losses"], expected(scores)["losses"])
    np.testing.assert_array_equal(found["gradients"], expected(scores)["gradients"])
    assert "id" not in infer(client, BATCH).json()


def test_rows_do_not_know_of_each_other(client: httpx2.Client) -> None:
    """Clients join batches and split the answer: what a row gets does not depend on its neighbours."""
    whole = outputs(infer(client, BATCH))
    for row in range(6):
        alone = outputs(infer(client, {name: values[row : row + 1] for name, values in BATCH.items()}))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], whole[name][row])


def test_parameters_are_the_engines(client: httpx2.Client) -> None:
    """Options and the loss's own numbers arrive as parameters, those per class as tensors; others' are passed over."""
    alpha = np.array([1, 2, 3, 4.0])
    options: dict[str, Any] = {
        "label_smoothing": 0.1,
        "ignore_index": 2,
        "temperature": 2,
        "unit": "bits",
        "reduction": "mean",
        "normalization": "count",
        "epsilon": 1e-6,
        "tolerance": 1e-3,
    }
    weights: dict[str, Any] = {"sample_weights": RANDOM.random(6), "class_weights": RANDOM.random(4)}
    others = {"headers": {"a": {"b": 1}}, "content_type": "np", "priority": 3, "triton_x": True}
    response = infer(
        client,
        BATCH | weights | {"alpha": alpha},
        "focal",
        parameters=options | {"gamma": 3, "binary_data_output": True} | others,
    )
    scores = engine.score(**BATCH, **weights, **options, loss={"name": "focal", "gamma": 3, "alpha": alpha})
    for name, values in outputs(response).items():
        np.testing.assert_array_equal(values, expected(scores)[name])


def test_poly1_has_an_epsilon_of_its_own(client: httpx2.Client) -> None:
    """Of poly1, the parameter epsilon is the loss's coefficient."""
    found = outputs(infer(client, BATCH, "poly1", parameters={"epsilon": 2.5}))
    scores = engine.score(**BATCH, loss={"name": "poly1", "epsilon": 2.5}, reduction="none")
    np.testing.assert_array_equal(found["losses"], expected(scores)["losses"])


def test_columns_are_vectors(client: httpx2.Client) -> None:
    """Vectors that come as columns, as MLServer's codecs send them, are the vectors that they were."""
    weights = np.arange(6.0)
    plain = outputs(infer(client, BATCH | {"sample_weights": weights}))
    columns = {"logits": LOGITS, "targets": TARGETS[:, None], "sample_weights": weights[:, None]}
    for name, values in outputs(infer(client, columns)).items():
        np.testing.assert_array_equal(values, plain[name])
    scores = np.array([[0.3], [-2.0]])
    labels = outputs(
        infer(client, {"logits": scores, "targets": np.array([[1], [0]])}, "binary_cross_entropy")
    )
    assert labels["gradients"].shape == (2, 1)
    vector = outputs(
        infer(client, {"logits": scores[:, 0], "targets": np.array([[1], [0]])}, "binary_cross_entropy")
    )
    np.testing.assert_array_equal(vector["losses"], labels["losses"])


@pytest.mark.parametrize("kind", ["probabilities", "log_probabilities"])
def test_other_inputs(client: httpx2.Client, kind: str) -> None:
    """What a model answers may be given as probabilities and as their logarithms."""
    values = engine.softmax(LOGITS)
    arrays = {kind: getattr(values, kind), "targets": TARGETS}
    np.testing.assert_array_equal(
        outputs(infer(client, arrays))["losses"], engine.score(**arrays, reduction="none").losses
    )


def test_what_is_not_finite(client: httpx2.Client) -> None:
    """Bare words are read; strings are written."""
    body = (
        b'{"inputs":[{"name":"logits","datatype":"FP64","shape":[2,2],"data":[[0,-Infinity],[NaN,Infinity]]},'
        b'{"name":"targets","datatype":"INT8","shape":[2],"data":[1,9]}],"parameters":{"ignore_index":9}}'
    )
    response = client.post("/v2/models/cross_entropy/infer", content=body)
    assert response.json()["outputs"][0]["data"] == ["Infinity", 0.0]
    assert b"null" not in response.content
    refused = client.post("/v2/models/cross_entropy/infer", content=body.replace(b":9", b":8"))
    assert refused.status_code == 422
    assert "/targets/1" in refused.json()["error"]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/octet-stream", "text/plain"])
def test_the_content_type_does_not_matter(client: httpx2.Client, content_type: str | None) -> None:
    """Sync tritonclient sends none, others what they like: the header of the protocol says what a body is."""
    headers = {"Content-Type": content_type} if content_type else {}
    for binary in (True, False):
        assert infer(client, BATCH, binary=binary, headers=headers).status_code == 200


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_a_version_may_be_named(client: httpx2.Client, version: str) -> None:
    """The path has a version or none."""
    body, headers = message(BATCH)
    response = client.post(f"/v2/models/focal{version}/infer", content=body, headers=headers)
    assert response.json()["model_version"] == "1"


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_requests(client: httpx2.Client, coding: str, binary: bool) -> None:  # noqa: FBT001 - a case
    """The header counts bytes of what is decompressed, whether it arrives small or large."""
    for rows in (2, 20_000):
        logits = np.resize(LOGITS, (rows, 4))
        body, headers = message({"logits": logits, "targets": np.zeros(rows, np.int64)}, binary=binary)
        response = client.post(
            "/v2/models/cross_entropy/infer",
            content=COMPRESS[coding](body),
            headers=headers | {"Content-Encoding": coding},
        )
        assert outputs(response)["losses"].shape == (rows,)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("GZIP;q=0.5", "gzip"),
        ("gzip, identity;q=0.1, br;q=0", "gzip"),
        ("", None),
        ("identity", None),
        ("br", None),
        ("zstd", None),
        ("gzip;q=0", None),
        ("gzip, deflate", None),
        ("gzip, deflate, br", None),
        ("*", None),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_answers(
    client: httpx2.Client,
    accept: str,
    coding: str | None,
    binary: bool,  # noqa: FBT001 - a case
) -> None:
    """An answer is compressed for those who ask for gzip or deflate alone, and the header counts as before."""
    for rows in (2, 20_000):
        logits = np.resize(LOGITS, (rows, 4))
        response = infer(
            client,
            {"logits": logits, "targets": np.zeros(rows, np.int64)},
            headers={"Accept-Encoding": accept},
            parameters={"binary_data_output": binary},
        )
        assert response.headers.get("content-encoding") == coding
        assert response.headers["vary"] == "Accept-Encoding"
        assert outputs(response)["gradients"].shape == (rows, 4)


def test_only_answers_of_infer_are_compressed(client: httpx2.Client) -> None:
    """The asyncio client reads everything else as it comes."""
    for path in ("/v2", "/v2/models", "/v2/models/focal", "/v2/health/ready", "/v2/nothing"):
        assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": "gzip"}).headers
    refused = infer(client, {"logits": LOGITS}, headers={"Accept-Encoding": "gzip"})
    assert refused.status_code == 422
    assert "content-encoding" not in refused.headers


def test_large_batches(client: httpx2.Client) -> None:
    """Megabytes in every form come back as the engine's numbers: JSON in parts, binary with its length."""
    logits = RANDOM.standard_normal((5000, 40)).astype(np.float32)
    targets = np.arange(5000) % 40
    scores = engine.score(logits=logits, targets=targets, reduction="none")
    for sent in (True, False):
        for wanted in (True, False):
            response = infer(
                client,
                {"logits": logits, "targets": targets},
                binary=sent,
                parameters={"binary_data_output": wanted},
            )
            assert ("content-length" in response.headers) == wanted
            for name, values in outputs(response).items():
                np.testing.assert_array_equal(values, expected(scores)[name])


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("cross_entropy", {"logits": LOGITS}, {}, "the input targets is required"),
    ("cross_entropy", {"targets": TARGETS}, {}, "exactly one of logits, probabilities, log_probabilities"),
    ("cross_entropy", BATCH | {"probabilities": LOGITS}, {}, "exactly one"),
    (
        "cross_entropy",
        BATCH | {"sample_weight": LOGITS[:, 0]},
        {},
        "/inputs/2/name: unknown input; did you mean sample",
    ),
    ("cross_entropy", BATCH | {"alpha": LOGITS[0]}, {}, "/inputs/2/name: unknown input"),
    ("cross_entropy", BATCH | {"logits": LOGITS > 0}, {}, "/inputs/0/datatype: numbers are wanted; BOOL"),
    ("cross_entropy", BATCH | {"logits": LOGITS[0]}, {}, "/logits: Float[n, classes] is wanted"),
    ("cross_entropy", BATCH | {"logits": LOGITS[None]}, {}, "/logits: Float[n, classes] is wanted"),
    ("cross_entropy", BATCH | {"logits": np.empty((0, 4))}, {}, "/logits: at least one row"),
    ("cross_entropy", BATCH | {"targets": TARGETS[:3]}, {}, "/targets: one target per row is wanted: 6"),
    ("cross_entropy", BATCH | {"targets": TARGETS + 1}, {}, "/targets/"),
    ("cross_entropy", BATCH | {"sample_weights": -(LOGITS[:, 0] ** 2)}, {}, "/sample_weights/0"),
    ("cross_entropy", BATCH | {"class_weights": LOGITS[0, :3]}, {}, "/class_weights: one weight per class"),
    (
        "cross_entropy",
        BATCH,
        {"parameters": {"temprature": 2}},
        "/parameters/temprature: unknown field; did you mean",
    ),
    (
        "cross_entropy",
        BATCH,
        {"parameters": {"temperature": 0}},
        "/parameters/temperature: must be greater than 0",
    ),
    (
        "cross_entropy",
        BATCH,
        {"parameters": {"temperature": "2"}},
        "/parameters/temperature: must be a number",
    ),
    ("cross_entropy", BATCH, {"parameters": {"unit": "bit"}}, "/parameters/unit"),
    ("cross_entropy", BATCH, {"parameters": {"gamma": 2}}, "/parameters/gamma: unknown field"),
    ("focal", BATCH, {"parameters": {"gamma": -1}}, "/parameters/gamma: a number >= 0 is wanted"),
    ("focal", BATCH, {"parameters": {"alpha": 1}}, "/parameters/alpha: unknown field"),
    ("focal", BATCH | {"alpha": LOGITS[0, :3] ** 2}, {}, "/alpha: 4 numbers are wanted"),
    ("focal", BATCH | {"alpha": -(LOGITS[0] ** 2)}, {}, "/alpha/0: a number >= 0 is wanted"),
    (
        "binary_cross_entropy",
        {"logits": LOGITS[0], "targets": TARGETS[:4] > 1, "pos_weight": LOGITS[0] ** 2},
        {"parameters": {"pos_weight": 1}},
        "/parameters/pos_weight: there is an input",
    ),
    (
        "focal",
        BATCH,
        {"outputs": [{"name": "looses"}]},
        "/outputs/0/name: unknown output; did you mean losses?",
    ),
    ("focal", BATCH, {"outputs": [{"name": "loss"}]}, "/outputs/0/name: reduction none"),
]


@pytest.mark.parametrize(("model", "arrays", "members", "says"), REFUSED, ids=[case[3] for case in REFUSED])
def test_refusals(
    client: httpx2.Client, model: str, arrays: dict[str, Any], members: dict[str, Any], says: str
) -> None:
    """What cannot be scored is refused in a sentence that names the tensor, parameter or output."""
    response = infer(client, arrays, model, **members)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert says in response.json()["error"]


SEEDS = [message(BATCH, id="x"), message(BATCH, binary=False, outputs=[{"name": "losses"}])]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rubbish(client: httpx2.Client, data: st.DataObject) -> None:
    """A body, a header or a coding that is damaged is scored or refused with an error that can be read; never a 500."""
    body, headers = data.draw(st.sampled_from(SEEDS))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 20)))
    changed = body[:start] + data.draw(st.binary(max_size=8)) + body[end:]
    coding = data.draw(st.sampled_from([None, "gzip", "deflate", "zstd", "br"]))
    if coding in COMPRESS and data.draw(st.booleans()):
        changed = COMPRESS[str(coding)](changed)
    extra = {} if coding is None else {"Content-Encoding": coding}
    if data.draw(st.booleans()):
        extra[HEADER] = str(data.draw(st.integers(-2, len(changed) + 2)))
    response = client.post("/v2/models/focal/infer", content=changed, headers=headers | extra)
    assert response.status_code in (200, 400, 413, 415, 422), response.text
    if response.status_code != 200:
        assert json.loads(response.content)["error"]
