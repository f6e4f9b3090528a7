"""POST /v2/models/{model_name}/infer: a batch in, losses and gradients out."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from lossmeter.api.openapi import errors_of_inference
from lossmeter.api.schemas.inference import InferAnswer
from lossmeter.api.v2 import models
from lossmeter.api.v2.exchange import Exchange
from lossmeter.api.v2.models import PREFIX, ModelName, ModelVersion
from lossmeter.engine import LOSSES
from lossmeter.wire.oip import HEADER_LENGTH

router = APIRouter(prefix=PREFIX)

_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_LENGTH: Final = {
    "description": "Bytes of JSON at the beginning of the body, after decompression. Wanted where a tensor is binary.",
    "schema": {"type": "integer", "minimum": 1},
}
_EXAMPLES: Final = {
    "two_rows": {
        "summary": "two rows of three classes, with the KL divergence in bits",
        "value": {
            "id": "batch-1",
            "parameters": {"unit": "bits", "label_smoothing": 0.1},
            "inputs": [
                {
                    "name": "logits",
                    "datatype": "FP32",
                    "shape": [2, 3],
                    "data": [2.0, 0.5, -1.0, 0.1, 0.2, 3.0],
                },
                {"name": "targets", "datatype": "INT64", "shape": [2], "data": [0, 1]},
            ],
            "outputs": [{"name": "losses"}, {"name": "gradients"}, {"name": "kl_divergence"}],
        },
    }
}
_BODIES: Final[dict[str, Any]] = {
    "parameters": [{"name": HEADER_LENGTH, "in": "header", "required": False, **_LENGTH}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/InferRequest"},
                "examples": _EXAMPLES,
            },
            "application/octet-stream": _BYTES,
        },
    },
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": InferAnswer,
        "description": "The outputs. With a binary one among them: JSON, then their bytes in order.",
        "content": {"application/octet-stream": _BYTES},
        "headers": {HEADER_LENGTH: _LENGTH},
    },
    **errors_of_inference(400, 404, 413, 415, 422, 429, 500, 503),
}


@router.post("/models/{model_name}/infer", responses=_RESPONSES, openapi_extra=_BODIES)
async def infer(request: Request, model_name: ModelName) -> Response:
    """Score a batch.

    The body is JSON; or JSON and behind it the bytes of those inputs that have `parameters.binary_data_size` and no
    `data`, in their order, little-endian and row-major, and the header `Inference-Header-Content-Length` says where
    the JSON ends. Outputs travel in the same two ways, as `parameters.binary_data` of each or
    `parameters.binary_data_output` of the request wants. Bodies may be compressed with gzip, deflate or zstd; an answer
    is compressed if `Accept-Encoding` asks for gzip or deflate alone.

    Numbers that JSON has no literal for are the strings `"Infinity"`, `"-Infinity"` and `"NaN"`; the bare words that
    some clients write are read as well.
    """
    models.check(model_name)
    return await Exchange(request).infer(model_name)


@router.post(
    "/models/{model_name}/versions/{model_version}/infer", responses=_RESPONSES, openapi_extra=_BODIES
)
async def infer_version(request: Request, model_name: ModelName, model_version: ModelVersion) -> Response:
    """Score a batch with a version of a model; bodies are those of `infer`."""
    models.check(model_name, model_version)
    return await Exchange(request).infer(model_name)


def of_models() -> list[tuple[str, Callable[[Request], Coroutine[Any, Any, Response]]]]:
    """The path of every model, and what answers there, for who need not look for routes."""
    return [(f"{PREFIX}/models/{name}/infer", partial(infer, model_name=name)) for name in LOSSES]
