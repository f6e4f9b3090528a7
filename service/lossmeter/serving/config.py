"""uvicorn's configuration, from our settings."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import uvicorn

from lossmeter.observability import log
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
            log_config=log.configuration(settings.log_format, settings.log_level),
            access_log=False,  # ours says more, and no query
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            ssl_ca_certs=settings.tls_client_ca,
            ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
        )
        self.settings = settings
