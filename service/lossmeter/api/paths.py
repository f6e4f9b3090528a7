"""Which paths are the API proper, and which are open to everyone and never refused for load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Scope

_OPEN: Final = ("/health", "/docs", "/redoc", "/openapi.json")


def is_open(scope: Scope) -> bool:
    """Whether this is a probe or documentation: no key, no limit."""
    path: str = scope["path"]
    root = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    return any(path == prefix or path.startswith(prefix + "/") for prefix in _OPEN)
