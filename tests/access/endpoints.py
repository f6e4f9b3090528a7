"""Every endpoint that the application has, read off its routes; so a new one is tried, too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lossmeter.api.app import create_app
from lossmeter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


class Endpoint(NamedTuple):
    """A method and a path, its parameters filled in."""

    method: str
    path: str


PROBES = re.compile(r"/health/.*|/v2/health/.*")
PAGES = re.compile(r"/docs|/docs/.*|/redoc|/openapi\.json")

ODD = [
    Endpoint("GET", path)
    for path in (
        "/",
        "/nothing",
        "/metrics",
        "/v1",
        "/v1/losses/",
        "//v1/losses",
        "/healthy",
        "/health/../v1/losses",
        "/v1/losses;/health",
        "/%761/losses",
        "/HEALTH",
        "/metrics/x",
        "/docsx",
    )
] + [Endpoint("OPTIONS", "/v1/score"), Endpoint("HEAD", "/v1/losses"), Endpoint("TRACE", "/v1/score")]
"""Paths that are none, or are another than they seem: all of them need a key."""


def _endpoints() -> Iterator[Endpoint]:
    for route in create_app(Settings()).routes:
        # FastAPI keeps routers that were included as they are, and says what they come to.
        inside = getattr(route, "effective_route_contexts", None)
        parts: list[Any] = list(inside()) if inside else [route]
        for part in parts:
            leaf = getattr(part, "starlette_route", None) or part
            path = re.sub(r"\{[^}]*\}", "focal", leaf.path)
            yield from (Endpoint(method, path) for method in sorted(leaf.methods - {"HEAD"}))


ENDPOINTS = sorted(set(_endpoints()))
OPEN = [endpoint for endpoint in ENDPOINTS if PROBES.fullmatch(endpoint.path)]
ON_PAGES = [endpoint for endpoint in ENDPOINTS if PAGES.fullmatch(endpoint.path)]
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint not in OPEN and endpoint not in ON_PAGES]


def scope_of(endpoint: Endpoint) -> str:
    """The scope that it should need."""
    return "metrics" if re.fullmatch("/metrics(/.*)?", endpoint.path) else "score"
