"""The one table: what a caller needs for which path, where keys are asked at all.

| path | needs |
|---|---|
| /health/live, /health/ready, the same under /v2 | nothing: a probe has no key |
| /docs, /redoc, /openapi.json | nothing, or any key with ``docs_need_key`` |
| /metrics | ``metrics``, or nothing without ``metrics_need_key`` |
| everything else, also what does not exist | ``score`` |

``admin`` is all of them. A path that nobody thought of needs a key: the table ends with everything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lossmeter.settings import Settings

ANY: Final = "any"
"""A key, whatever it is for."""

PROBES: Final = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
PAGES: Final = ("/docs", "/redoc", "/openapi.json")
METRICS: Final = ("/metrics",)
EVENTS: Final = ("/v1/events", "/v2/events")

MANAGEMENT: Final = (*PAGES, *METRICS)
"""What is on the second port alone, where there is one."""


def needed(path: str, settings: Settings) -> str | None:
    """The scope that a path needs; None if it is open to everyone.

    Args:
        path: as the routes see it, without the prefix of a proxy.
        settings: what the operator set.
    """
    if not settings.asks_for_key or path in PROBES:
        return None
    if is_under(path, PAGES):
        return ANY if settings.docs_need_key else None
    if is_under(path, METRICS):
        return "metrics" if settings.metrics_need_key else None
    return "score"


def takes_password(path: str, need: str) -> bool:
    """Whether a key may come as a password, from who can send no other header: browsers, and KServe's logger."""
    return need == ANY or is_under(path, EVENTS)


def suffices(scopes: frozenset[str], need: str) -> bool:
    """Whether a caller with these scopes has what is needed."""
    return need == ANY or need in scopes or "admin" in scopes


def is_under(path: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the path is one of these or below one."""
    return path in prefixes or path.startswith(_folders(prefixes))


@lru_cache(maxsize=16)
def _folders(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """What is below each begins with one of these."""
    return tuple(prefix + "/" for prefix in prefixes)
