"""A server with bugs: in endpoints, and where bodies are read. Run by a test."""

from __future__ import annotations

import logging
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation
from fastapi.responses import StreamingResponse

from lossmeter.api.app import create_app
from lossmeter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def boom(request: Request) -> None:
    """Fails before it has answered anything."""
    await request.body()
    raise RuntimeError("the secret of /boom")


async def half() -> StreamingResponse:
    """Fails in the middle of its answer."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the secret of /half")

    return StreamingResponse(parts())


def main() -> None:
    """Serves on a free port."""
    logging.basicConfig(level=logging.INFO)
    app = create_app(Settings())
    # Whoever reads a body looks for its limits here.
    app.state.service = replace(app.state.service, settings=None)
    app.add_api_route("/boom", boom, methods=["POST"])
    app.add_api_route("/half", half, response_model=None)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    sys.stdout.write(f"broken on http://{host}:{port}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
