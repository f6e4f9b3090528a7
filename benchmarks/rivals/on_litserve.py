"""LitServe: ``on_litserve.py PORT``; one worker behind its own server."""

from __future__ import annotations

import sys
from typing import Any

import cross_entropy
import litserve


class Score(litserve.LitAPI):  # type: ignore[misc]  # it has no types where it is not installed
    """Takes and gives the JSON of the plain endpoint."""

    def setup(self, device: str) -> None:
        """There is nothing to load."""

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Losses and gradients."""
        return cross_entropy.score(request["logits"], request["targets"])


if __name__ == "__main__":
    server = litserve.LitServer(
        Score(api_path="/score"), accelerator="cpu", workers_per_device=1, timeout=300
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
