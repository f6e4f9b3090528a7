"""Web pages of other origins: none may call, but those that the operator named (CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from lossmeter.settings import Settings

SENT: Final = ("Authorization", "Content-Encoding", "Content-Type", "X-API-Key", "X-Request-Id")
SHOWN: Final = ("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id")


def middleware(settings: Settings) -> list[Middleware]:
    """Starlette's, around everything: a browser asks first, and without a key. No cookie is ever taken."""
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=SENT,
            expose_headers=SHOWN,
            allow_credentials=False,
        )
    ]
