"""The endpoint as one writes it first: lists in a Pydantic model, NumPy in the handler, a dict returned.

With ``typed`` as argument, the answer is declared, too: FastAPI then writes it with Pydantic instead of piece by piece.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import numpy as np
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
    logits, targets = np.array(request.logits), np.array(request.targets)
    rows = np.arange(len(targets))
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    sums = exponentials.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) - logits[rows, targets]
    gradients = exponentials / sums
    gradients[rows, targets] -= 1
    gradients /= len(targets)
    return {"loss": losses.mean(), "losses": losses.tolist(), "gradients": gradients.tolist()}


if __name__ == "__main__":
    app = FastAPI()
    app.post("/v1/score", response_model=Answer if sys.argv[1:] == ["typed"] else None)(score)
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(f"plain on http://{host}:{port}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
