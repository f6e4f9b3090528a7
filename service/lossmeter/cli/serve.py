"""``lossmeter serve``: uvicorn around the application, on a socket that is bound before anything is said."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import lossmeter
from lossmeter.api.access.rates import shared_by_workers
from lossmeter.cli import listen
from lossmeter.cli.environment import settings
from lossmeter.observability.workers import counting_together
from lossmeter.serving.config import Config
from lossmeter.serving.pool import Pool
from lossmeter.serving.server import Server
from lossmeter.settings import PREFIX

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import socket
    from argparse import Namespace

FLAGS: Final = ("host", "port", "workers", "tls_certificate", "tls_key", "tls_client_ca")


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
    _allow_connections()
    config = Config(chosen)
    return _serve_many(config, sockets) if chosen.workers > 1 else _serve_one(config, sockets)


def _allow_connections() -> None:
    """As many open files as the system grants: a shell's 1024 are a thousand idle connections."""
    if resource is not None:
        with suppress(OSError, ValueError):
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _serve_one(config: Config, sockets: list[socket.socket]) -> int:
    # uvicorn drains, then raises the signal again: a stop that was asked for is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(config).run(sockets=sockets)
    return 0


def _serve_many(config: Config, sockets: list[socket.socket]) -> int:
    with shared_by_workers(), counting_together():
        return Pool(config, sockets).run()
