"""Probes: what they say, and that they do not wait."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest

from api.refusals import JSON
from lossmeter.api.app import create_app
from lossmeter.settings import Settings
from servers import PATIENCE, Server


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes(client: httpx2.Client, path: str) -> None:
    """Probes say ok, and are not cached."""
    response = client.get(path)
    assert response.json() == {"status": "ok"}
    assert response.headers["Cache-Control"] == "no-store"


def test_readiness_follows_the_lifespan() -> None:
    """Requests are welcome after start-up and before shutdown, and not otherwise."""
    from starlette.testclient import TestClient  # noqa: PLC0415 - no other test may use it: no socket

    app = create_app(Settings())
    client = TestClient(app)
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/ready").json() == {"status": "starting"}
    assert client.get("/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/focal/ready"):
        assert client.get(path).status_code == 503
        assert client.get(path).json()["ready"] is False
    assert {entry["state"] for entry in client.post("/v2/repository/index").json()} == {"UNAVAILABLE"}
    assert client.get("/v2/health/live").json() == {"live": True}
    with client:
        assert client.get("/health/ready").status_code == 200
        assert client.get("/v2/health/ready").json() == {"ready": True, "live": True}
    assert client.get("/health/ready").json() == {"status": "stopping"}


def test_probes_do_not_wait_for_scoring(server: Server) -> None:
    """While large bodies are scored, every probe is answered at once."""
    logits = np.random.default_rng(0).normal(size=(10_000, 50)).tolist()
    body = json.dumps({"logits": logits, "targets": [0] * 10_000})
    with ThreadPoolExecutor(2) as pool, httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
        scorings = [
            pool.submit(httpx2.post, f"{server.url}/v1/score", content=body, headers=JSON, timeout=PATIENCE)
            for _ in range(4)
        ]
        times = []
        while not all(scoring.done() for scoring in scorings):
            start = time.perf_counter()
            assert client.get("/health/live").status_code == 200
            times.append(time.perf_counter() - start)
    assert [scoring.result().status_code for scoring in scorings] == [200] * 4
    assert len(times) > 4
    # Far from what it takes to score one of the bodies in vain; generous, for a machine that is busy otherwise.
    assert float(np.median(times)) < 0.5
