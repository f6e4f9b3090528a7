"""POST and OPTIONS /v2/events: what /v1/events takes, beside the endpoints of the servers whose loggers it hears."""

from __future__ import annotations

from fastapi import APIRouter

from lossmeter.api.v1.events import events, handshake
from lossmeter.api.v2.models import PREFIX

# One operation has one place in the OpenAPI document, which is that of version 1.
router = APIRouter(prefix=PREFIX, include_in_schema=False)
router.add_api_route("/events", events, methods=["POST"])
router.add_api_route("/events", handshake, methods=["OPTIONS"])
