"""Paths as the routes see them, and which of them are never refused for load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lossmeter.api.access import scopes

if TYPE_CHECKING:
    from starlette.types import Scope

STREAM_PATH: Final = "/v1/score"
"""The one endpoint that takes streams."""

_UNLIMITED: Final = (*scopes.PROBES, *scopes.MANAGEMENT)

INFERENCE: Final = "/v2"
"""Where the Open Inference Protocol is spoken."""


def path_of(scope: Scope) -> str:
    """The path without the prefix under which a proxy publishes the service."""
    path: str = scope.get("path", "")
    root = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def is_open(scope: Scope) -> bool:
    """Whether this is a probe, a page or the metrics: no limit, for they tell what happens under load."""
    return scopes.is_under(path_of(scope), _UNLIMITED)


def is_inference(scope: Scope) -> bool:
    """Whether the caller is a client of the Open Inference Protocol, who reads errors in its way."""
    return scopes.is_under(path_of(scope), (INFERENCE,))
