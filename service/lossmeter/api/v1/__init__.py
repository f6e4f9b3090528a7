"""Version 1 of the API: thin routes that read a document, call one use case and answer."""

from fastapi import APIRouter

from lossmeter.api.v1 import (
    calibrate,
    class_weights,
    compare,
    divergence,
    events,
    expect,
    feedback,
    losses,
    merge,
    metrics,
    report,
    score,
    softmax,
)

router = APIRouter(prefix="/v1")
for endpoint in (
    score,
    losses,
    softmax,
    divergence,
    class_weights,
    metrics,
    merge,
    report,
    compare,
    calibrate,
    expect,
    events,
    feedback,
):
    router.include_router(endpoint.router)
