"""Requests of the Open Inference Protocol as bytes, and answers as arrays, for tests that look at both closely."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import httpx2
    from numpy.typing import NDArray

HEADER = "Inference-Header-Content-Length"
DTYPES: dict[str, np.dtype[Any]] = {"FP64": np.dtype("<f8"), "FP32": np.dtype("<f4")}
NAMES = {"f8": "FP64", "f4": "FP32", "f2": "FP16", "i8": "INT64", "i4": "INT32", "u1": "UINT8", "b1": "BOOL"}


def message(
    arrays: dict[str, Any], *, binary: bool = True, **members: object
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a request for these arrays."""
    inputs: list[dict[str, Any]] = []
    chunks = []
    for name, given in arrays.items():
        values = np.asarray(given)
        entry = {"name": name, "datatype": NAMES[values.dtype.str[1:]], "shape": list(values.shape)}
        if binary:
            chunks.append(values.tobytes())
            inputs.append(entry | {"parameters": {"binary_data_size": values.nbytes}})
        else:
            inputs.append(entry | {"data": values.tolist()})
    text = json.dumps({"inputs": inputs} | members).encode()
    return text + b"".join(chunks), {HEADER: str(len(text))} if binary else {}


def outputs(response: httpx2.Response) -> dict[str, NDArray[Any]]:
    """The arrays of an answer, by name and in order."""
    assert response.status_code == 200, response.text
    body = response.content
    length = int(response.headers.get(HEADER, len(body)))
    assert (HEADER in response.headers) == (response.headers["content-type"] == "application/octet-stream")
    rest, found = body[length:], dict[str, Any]()
    for entry in json.loads(body[:length])["outputs"]:
        dtype = DTYPES[entry["datatype"]]
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.array(entry["data"], dtype)
        else:
            values, rest = np.frombuffer(rest[:size], dtype), rest[size:]
        found[entry["name"]] = values.reshape(entry["shape"])
    assert rest == b""
    return found
