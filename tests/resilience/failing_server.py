"""A server with a bug: it fails at the first connection that it looks at. Run by a test."""

from __future__ import annotations

import logging
import socket
import sys
from typing import ClassVar

from lossmeter.serving.config import Config
from lossmeter.serving.protocol import Protocol
from lossmeter.serving.server import Server
from lossmeter.settings import Settings


class Failing(Protocol):
    """Fails once."""

    has_failed: ClassVar[bool] = False

    def check(self, seconds: float) -> None:
        """Looks at the connection, but for the first time."""
        if not Failing.has_failed:
            Failing.has_failed = True
            raise OSError("no space left on device")
        super().check(seconds)


def main() -> None:
    """Serves on a free port."""
    logging.basicConfig(level=logging.INFO)
    config = Config(Settings())
    config.http = Failing
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    sys.stdout.write(f"failing on http://{host}:{port}\n")
    sys.stdout.flush()
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
