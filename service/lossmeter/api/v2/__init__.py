"""The Open Inference Protocol V2: every loss is a model, and clients of inference servers score with it."""

from fastapi import APIRouter

from lossmeter.api.v2 import events, health, infer, metadata

router = APIRouter(tags=["inference protocol"])
for endpoint in (health, metadata, infer, events):
    router.include_router(endpoint.router)
