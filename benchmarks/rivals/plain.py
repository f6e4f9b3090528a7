"""The endpoint as one writes it first: lists in a Pydantic model, NumPy in the handler, a dict returned.

With ``typed`` as argument, the answer is declared, too: FastAPI then writes it with Pydantic instead of piece by piece.
A number as argument is the port, else any that is free.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import cross_entropy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Request(BaseModel):
    """Logits and true classes."""

    logits: list[list[float]]
    targets: list[int]


class Answer(BaseModel):
    """The mean loss, every row's, and the gradient of the mean."""

    loss: float
    losses: list[float]
    gradients: list[list[float]]


def score(request: Request) -> dict[str, Any]:
    """Cross-entropy of every row, and the gradient of the mean."""
    return cross_entropy.score(request.logits, request.targets)


if __name__ == "__main__":
    app = FastAPI()
    app.post("/v1/score", response_model=Answer if "typed" in sys.argv else None)(score)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 0))
    host, port = listener.getsockname()
    print(f"plain on http://{host}:{port}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
