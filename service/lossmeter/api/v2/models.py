"""Models in paths, and whether they answer."""

from typing import Annotated, Final

from fastapi import Path, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lossmeter.api.inference import VERSION
from lossmeter.api.paths import INFERENCE
from lossmeter.api.schemas import words
from lossmeter.engine import LOSSES

PREFIX: Final = INFERENCE

NO_CACHE: Final = {"Cache-Control": "no-store"}

REFUSALS: Final = (404, 429, 500)
"""Statuses of a route that names a model."""

ModelName = Annotated[
    str, Path(description="A loss: see /v1/losses.", json_schema_extra={"enum": list(LOSSES)})
]
ModelVersion = Annotated[str, Path(description="Its version.", json_schema_extra={"enum": [VERSION]})]


def check(name: str, version: str = VERSION) -> None:
    """Refuse what is no model.

    Raises:
        HTTPException: 404, with the names that are known.
    """
    if name not in LOSSES:
        known = ", ".join(LOSSES)
        raise HTTPException(404, f"There is no such model; models: {known}{words.suggestion(name, LOSSES)}")
    if version != VERSION:
        raise HTTPException(404, f"{name} has no such version; it has: {VERSION}.")


def is_ready(request: Request) -> bool:
    """Whether requests should be sent here."""
    return bool(request.app.state.service.readiness.state == "ok")


def probe(document: dict[str, object], *, good: bool) -> JSONResponse:
    """What a probe is told; a cached one would tell the past."""
    return JSONResponse(document, 200 if good else 503, NO_CACHE)
