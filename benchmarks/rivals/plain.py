"""The endpoint as one writes it first: lists in a Pydantic model, NumPy in the handler, a dict returned."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Request(BaseModel):
    """Logits and true classes."""

    logits: list[list[float]]
    targets: list[int]


@app.post("/v1/score", response_model=None)
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
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(f"plain on http://{host}:{port}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
