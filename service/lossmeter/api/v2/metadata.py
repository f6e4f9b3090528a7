"""What this server is, which models it has, and what they take and give."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

import lossmeter
from lossmeter.api import inference
from lossmeter.api.openapi import errors_of_inference
from lossmeter.api.schemas.inference import IndexedModel, ModelList, ModelMetadata, ServerMetadata
from lossmeter.api.v2 import models
from lossmeter.api.v2.models import PREFIX, ModelName, ModelVersion
from lossmeter.engine import LOSSES

router = APIRouter(prefix=PREFIX)

EXTENSIONS: Final = ("binary_tensor_data", "model_repository")
PLATFORM: Final = "lossmeter_numpy"

WITHOUT_MODEL: Final = (429, 500)

_DATATYPES: Final = {"targets": "INT64"}


@router.get("", response_model=ServerMetadata, responses=errors_of_inference(*WITHOUT_MODEL))
@router.get("/", include_in_schema=False)
async def server_metadata() -> JSONResponse:
    """What this server is, and which extensions of the protocol it knows."""
    return JSONResponse(
        {"name": "lossmeter", "version": lossmeter.__version__, "extensions": list(EXTENSIONS)}
    )


@router.get("/models", response_model=ModelList, responses=errors_of_inference(*WITHOUT_MODEL))
async def model_list() -> JSONResponse:
    """The names of all models: those of the losses."""
    return JSONResponse({"models": list(LOSSES)})


@router.get(
    "/models/{model_name}", response_model=ModelMetadata, responses=errors_of_inference(*models.REFUSALS)
)
async def model_metadata(model_name: ModelName) -> JSONResponse:
    """What a model takes and gives."""
    return _metadata(model_name)


@router.get(
    "/models/{model_name}/versions/{model_version}",
    response_model=ModelMetadata,
    responses=errors_of_inference(*models.REFUSALS),
)
async def model_version_metadata(model_name: ModelName, model_version: ModelVersion) -> JSONResponse:
    """What a version of a model takes and gives."""
    return _metadata(model_name, model_version)


@router.post(
    "/repository/index", response_model=list[IndexedModel], responses=errors_of_inference(*WITHOUT_MODEL)
)
async def repository_index(request: Request) -> JSONResponse:
    """All models, their versions and whether they answer. What a body asks for is not looked at."""
    ready = models.is_ready(request)
    state, reason = ("READY", "") if ready else ("UNAVAILABLE", "the service starts or stops")
    entry = {"version": inference.VERSION, "state": state, "reason": reason}
    return JSONResponse([{"name": name} | entry for name in LOSSES])


def _metadata(*named: str) -> JSONResponse:
    models.check(*named)
    outputs = {name: kind.shape for name, kind in inference.OUTPUTS.items()}
    return JSONResponse(
        {
            "name": named[0],
            "versions": [inference.VERSION],
            "platform": PLATFORM,
            "inputs": _tensors(inference.inputs(named[0])),
            "outputs": _tensors(outputs),
        }
    )


def _tensors(shapes: dict[str, tuple[int, ...]]) -> list[dict[str, object]]:
    return [
        {"name": name, "datatype": _DATATYPES.get(name, "FP64"), "shape": list(shape)}
        for name, shape in shapes.items()
    ]
