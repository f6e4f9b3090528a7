"""``lossmeter serve``: uvicorn around the application, on a socket that is bound before anything is said."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

import lossmeter
from lossmeter.cli.environment import settings
from lossmeter.cli.failure import Failure
from lossmeter.settings import PREFIX

if TYPE_CHECKING:
    from argparse import Namespace

    from lossmeter.settings import Settings

FLAGS: Final = ("host", "port", "workers")

DRAIN_SECONDS: Final = 20
"""How long requests in progress may still take after SIGTERM."""

STARTUP_FAILED: Final = 3
"""What uvicorn exits with when the application does not start."""


def run(arguments: Namespace) -> int:
    """Serve until told to stop."""
    flags = {name: value for name in FLAGS if (value := getattr(arguments, name)) is not None}
    chosen = settings(**flags)
    # Worker processes build the application from the environment: flags must be there, too.
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in flags.items()})
    listener = _listen(chosen.host, chosen.port)
    base = _url(listener)
    docs = f", docs on {base}{chosen.root_path}/docs" if chosen.docs else ""
    sys.stdout.write(f"lossmeter {lossmeter.__version__} on {base}{docs}\n")
    sys.stdout.flush()
    config = _config(chosen)
    return _serve_many(config, listener) if chosen.workers > 1 else _serve_one(config, listener)


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen at once: who connects while the application starts waits instead of being refused."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        # Python adds the address to the system's words; ours are in the message already.
        reason = str(error.strerror).partition(" (while")[0]
        raise Failure(f"cannot listen on {host} port {port}: {reason}") from None


def _url(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
    )


def _logging(level: str) -> dict[str, Any]:
    """The way uvicorn logs, for our messages too."""
    ours = {"handlers": ["default"], "level": level, "propagate": False}
    return LOGGING_CONFIG | {"loggers": LOGGING_CONFIG["loggers"] | {"lossmeter": ours}}


def _serve_one(config: uvicorn.Config, listener: socket.socket) -> int:
    # uvicorn drains, then raises the signal again: a stop that was asked for is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _serve_many(config: uvicorn.Config, listener: socket.socket) -> int:
    supervisor = Multiprocess(config, sockets=[listener])
    supervisor.run()
    failed = any(process.exitcode == STARTUP_FAILED for process in supervisor.processes)
    return STARTUP_FAILED if failed else 0
