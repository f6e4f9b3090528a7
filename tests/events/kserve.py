"""Events byte for byte as KServe's logger writes them: ``pkg/logger/worker.go`` and the Go library of CloudEvents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    import httpx2
    from numpy.typing import ArrayLike

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"


def headers(id_: str, type_: str = RESPONSE, **others: str) -> dict[str, str]:
    """The headers of an event in binary mode; that of a response has the content type of its request."""
    written = {
        "User-Agent": "Go-http-client/1.1",
        "Ce-Specversion": "1.0",
        "Ce-Id": id_,
        "Ce-Type": type_,
        "Ce-Source": "http://localhost:9081/",
        "Ce-Time": "2026-11-23T05:40:00.123456789Z",
        "Ce-Recordedtime": "2026-11-23T05:40:00.123456789Z",
        "Ce-Inferenceservicename": "fraud",
        "Ce-Namespace": "shop",
        "Ce-Component": "predictor",
        "Ce-Endpoint": "",
        "Ce-Metadata": '{"X-Tenant":["a%b"]}',
        "Content-Type": "application/json",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return written | {name.replace("_", "-"): value for name, value in others.items()}


def v1(predictions: ArrayLike) -> bytes:
    """An answer of KServe's protocol V1."""
    return json.dumps({"predictions": np.asarray(predictions).tolist()}).encode()


def tensor(values: ArrayLike, name: str = "p", datatype: str = "FP32", **others: Any) -> dict[str, Any]:  # noqa: ANN401
    """An output of the Open Inference Protocol in JSON."""
    array = np.asarray(values)
    data = others or {"data": array.ravel().tolist()}
    return {"name": name, "shape": list(array.shape), "datatype": datatype, **data}


def oip(*outputs: dict[str, Any], tail: bytes = b"") -> bytes:
    """An answer of the Open Inference Protocol, with binary tensors behind it."""
    return json.dumps({"model_name": "fraud", "id": "x", "outputs": outputs}).encode() + tail


def binary(
    values: ArrayLike, name: str = "p", dtype: str = "<f4", datatype: str = "FP32"
) -> tuple[dict[str, Any], bytes]:
    """An output whose bytes follow the document, and the bytes."""
    data = np.asarray(values, dtype).tobytes()
    return tensor(values, name, datatype, parameters={"binary_data_size": len(data)}), data


def send(
    client: httpx2.Client, id_: str, body: bytes, type_: str = RESPONSE, query: str = "", **others: str
) -> httpx2.Response:
    """What the server says to an event of the logger."""
    return client.post(f"/v1/events{query}", content=body, headers=headers(id_, type_, **others))


def taken(response: httpx2.Response) -> dict[str, int]:
    """What became of events that were not refused, but for what is zero."""
    assert response.status_code == 200, response.text
    return {name: count for name, count in response.json().items() if count}


def tell(client: httpx2.Client, id_: str, targets: ArrayLike, **others: object) -> dict[str, Any]:
    """What became of a truth."""
    document = {"id": id_, "targets": np.asarray(targets).tolist(), **others}
    response = client.post("/v1/feedback", json=document)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def new() -> str:
    """An id as the logger makes one."""
    return str(uuid4())


def reports(client: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    """What events came to, by series."""
    response = client.get("/v1/events", params=query)
    assert response.status_code == 200, response.text
    series: list[dict[str, Any]] = response.json()["series"]
    return series


def waiting(client: httpx2.Client) -> dict[str, int]:
    """What waits, but for what does not."""
    return {name: count for name, count in client.get("/v1/events").json()["waiting"].items() if count}
