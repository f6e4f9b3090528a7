"""uvicorn's configuration, from our settings."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from lossmeter.serving.protocol import Protocol

if TYPE_CHECKING:
    from lossmeter.settings import Settings

DRAIN_SECONDS: Final = 20
"""How long requests in progress may still take once no more are taken."""


class Config(uvicorn.Config):
    """What a server needs to know, worker processes too.

    Attributes:
        settings: what the operator set.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "lossmeter.api.app:create_app",
            factory=True,
            workers=settings.workers,
            loop="auto",  # uvloop where it is installed
            http=Protocol,
            ws="none",
            log_level=settings.log_level,
            log_config=_logging(settings.log_level.upper()),
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            ssl_ca_certs=settings.tls_client_ca,
            ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
        )
        self.settings = settings


def _logging(level: str) -> dict[str, Any]:
    """The way uvicorn logs, for our messages too, and without what callers put behind the path."""
    ours = {"handlers": ["default"], "level": level, "propagate": False}
    access = {**LOGGING_CONFIG["handlers"]["access"], "filters": ["no_query"]}
    return LOGGING_CONFIG | {
        "filters": {"no_query": {"()": "lossmeter.serving.config.WithoutQuery"}},
        "handlers": LOGGING_CONFIG["handlers"] | {"access": access},
        "loggers": LOGGING_CONFIG["loggers"] | {"lossmeter": ours},
    }


class WithoutQuery(logging.Filter):
    """Cuts the query string off the access log: keys do not belong there, but some callers put them there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, the path of a request without what follows it."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                part.partition("?")[0] if isinstance(part, str) else part for part in record.args
            )
        return True
