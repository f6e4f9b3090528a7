"""A server with two bugs: one in an endpoint, one where bodies are read. Run by a test."""

from __future__ import annotations

import logging
import socket
import sys
from dataclasses import replace

import uvicorn
from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation

from lossmeter.api.app import create_app
from lossmeter.settings import Settings


async def boom(request: Request) -> None:
    """Fails before it has answered anything."""
    await request.body()
    raise RuntimeError("the secret of /boom")


def main() -> None:
    """Serves on a free port."""
    logging.basicConfig(level=logging.INFO)
    app = create_app(Settings())
    # Whoever reads a body looks for its limits here.
    app.state.service = replace(app.state.service, settings=None)
    app.add_api_route("/boom", boom, methods=["POST"])
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    sys.stdout.write(f"broken on http://{host}:{port}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
