"""``lossmeter serve``: uvicorn around the application, on a socket that is bound before anything is said."""

from __future__ import annotations

import logging
import os
import signal
import ssl
import sys
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

import lossmeter
from lossmeter.api.access.rates import shared_by_workers
from lossmeter.cli import listen
from lossmeter.cli.environment import settings
from lossmeter.settings import PREFIX

if TYPE_CHECKING:
    import socket
    from argparse import Namespace

    from lossmeter.settings import Settings

FLAGS: Final = ("host", "port", "workers", "tls_certificate", "tls_key", "tls_client_ca")

DRAIN_SECONDS: Final = 20
"""How long requests in progress may still take after SIGTERM."""

STARTUP_FAILED: Final = 3
"""What uvicorn exits with when the application does not start."""


def run(arguments: Namespace) -> int:
    """Serve until told to stop."""
    flags = {name: value for name in FLAGS if (value := getattr(arguments, name)) is not None}
    chosen = settings(**flags)
    sockets = listen.listeners(chosen)
    if chosen.management_port is not None:
        flags["management_port"] = sockets[1].getsockname()[1]
    # Worker processes build the application from the environment: flags must be there, too.
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in flags.items()})
    docs = f", docs on {listen.url(sockets[-1], chosen)}{chosen.root_path}/docs" if chosen.docs else ""
    sys.stdout.write(f"lossmeter {lossmeter.__version__} on {listen.url(sockets[0], chosen)}{docs}\n")
    sys.stdout.flush()
    config = _config(chosen)
    return _serve_many(config, sockets) if chosen.workers > 1 else _serve_one(config, sockets)


def _config(chosen: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        "lossmeter.api.app:create_app",
        factory=True,
        workers=chosen.workers,
        loop="auto",  # uvloop where it is installed
        http="auto",  # httptools where it is installed
        ws="none",
        log_level=chosen.log_level,
        log_config=_logging(chosen.log_level.upper()),
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=chosen.tls_certificate,
        ssl_keyfile=chosen.tls_key,
        ssl_ca_certs=chosen.tls_client_ca,
        ssl_cert_reqs=ssl.CERT_REQUIRED if chosen.tls_client_ca else ssl.CERT_NONE,
    )


def _logging(level: str) -> dict[str, Any]:
    """The way uvicorn logs, for our messages too, and without what callers put behind the path."""
    ours = {"handlers": ["default"], "level": level, "propagate": False}
    access = {**LOGGING_CONFIG["handlers"]["access"], "filters": ["no_query"]}
    return LOGGING_CONFIG | {
        "filters": {"no_query": {"()": "lossmeter.cli.serve.WithoutQuery"}},
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


def _serve_one(config: uvicorn.Config, sockets: list[socket.socket]) -> int:
    # uvicorn drains, then raises the signal again: a stop that was asked for is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=sockets)
    return 0


def _serve_many(config: uvicorn.Config, sockets: list[socket.socket]) -> int:
    supervisor = Multiprocess(config, sockets=sockets)
    with shared_by_workers():
        supervisor.run()
    failed = any(process.exitcode == STARTUP_FAILED for process in supervisor.processes)
    return STARTUP_FAILED if failed else 0
