"""Ray Serve: ``on_ray.py PORT``; one replica behind its proxy, on a cluster of this machine alone."""

from __future__ import annotations

import signal
import sys
import tempfile
from typing import Any

import cross_entropy
import ray
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig
from starlette.requests import Request  # noqa: TC002 - Ray reads the annotation


@serve.deployment(max_ongoing_requests=100)
class Score:
    """Takes and gives the JSON of the plain endpoint."""

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Losses and gradients."""
        sent = await request.json()
        return cross_entropy.score(sent["logits"], sent["targets"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        ray.init(address="local", _temp_dir=folder, include_dashboard=False)
        quiet = LoggingConfig(enable_access_log=False)
        serve.start(http_options=HTTPOptions(host="127.0.0.1", port=int(sys.argv[1])), logging_config=quiet)
        serve.run(Score.bind(), logging_config=quiet)  # type: ignore[attr-defined]  # what the decorator makes
        signal.sigwait((signal.SIGINT, signal.SIGTERM))
        serve.shutdown()
        ray.shutdown()
