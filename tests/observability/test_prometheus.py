"""What Prometheus says of a server with two workers is what was scored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest

from prometheus import NEEDED, promtool, scraping, until
from servers import running

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"model": "fraud", "version": "3"}
SERIES = '{model="fraud",version="3",loss="cross_entropy"}'


def batches(seed: int, count: int) -> list[dict[str, Any]]:
    """Requests with weights, ignored rows and a certain miss."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        probabilities = random.dirichlet([1.0, 1.0, 1.0], 40)
        probabilities[0] = 1, 0, 0
        targets = random.integers(0, 3, 40)
        targets[0], targets[1] = 1, -1
        made.append(
            {
                "probabilities": probabilities.tolist(),
                "targets": targets.tolist(),
                "ignore_index": -1,
                "sample_weights": random.uniform(0.5, 2, 40).tolist(),
                "class_weights": [1, 2, 3],
                "tolerance": 1e-9,
                "labels": LABELS,
            }
        )
    return made


def sent(url: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers, each over a connection of its own, so that every worker gets some."""
    return [
        httpx2.post(f"{url}/v1/score", json=body, timeout=60).raise_for_status().json() for body in requests
    ]


@NEEDED
def test_promql_answers_what_was_scored(tmp_path: Path) -> None:
    """The windowed mean loss, accuracy, KL and counts of the second half of the requests, over both workers."""
    with running(workers=2) as server:
        sent(server.url, batches(1, 8))
        until(lambda: "lossmeter_workers 2" in httpx2.get(f"{server.url}/metrics", timeout=60).text)
        with scraping(tmp_path, server.url.partition("://")[2]) as prometheus:
            # Of a counter that has only just begun, rate() supposes that it began at 0, and takes the first half along.
            until(
                lambda: (
                    (prometheus.value(f"count_over_time(lossmeter_rows_scored_total{SERIES}[5m])") or 0) > 4
                )
            )
            assert prometheus.value(f"lossmeter_rows_scored_total{SERIES}") == 8 * 39
            requests = batches(2, 12)
            answers = sent(server.url, requests)
            until(lambda: prometheus.value(f"lossmeter_rows_scored_total{SERIES}") == 20 * 39)

            at = prometheus.settled()
            losses = np.concatenate([np.array(answer["losses"], float) for answer in answers])
            finite = np.isfinite(losses)
            weight = sum(
                np.array(request["sample_weights"]) @ np.where(np.array(request["targets"]) >= 0, [*row], 0)
                for request in requests
                for row in [np.array(request["class_weights"])[np.array(request["targets"])]]
            ) - sum(request["sample_weights"][0] * 2 for request in requests)
            divergences = np.concatenate(
                [np.array(answer["kl"]["kl_divergence"], float) for answer in answers]
            )
            right = sum(
                np.count_nonzero(np.argmax(request["probabilities"], axis=1) == request["targets"])
                for request in requests
            )
            entropy = sum(
                -p * math.log(p)
                for request in requests
                for row, truth in zip(request["probabilities"], request["targets"], strict=True)
                for p in row
                if p and truth >= 0
            )

            def ratio(above: str, below: str) -> float | None:
                return prometheus.value(
                    f"rate(lossmeter_{above}_total{SERIES}[5m]) / rate(lossmeter_{below}_total{SERIES}[5m])",
                    at,
                )

            assert ratio("loss_nats", "loss_weight") == pytest.approx(losses[finite].sum() / weight, rel=1e-9)
            assert ratio("kl_nats", "kl_rows") == pytest.approx(
                divergences[np.isfinite(divergences)].sum() / (12 * 38), rel=1e-9
            )
            assert ratio("correct_rows", "classified_rows") == pytest.approx(right / (12 * 39), rel=1e-9)
            assert ratio("entropy_nats", "confidence_rows") == pytest.approx(entropy / (12 * 39), rel=1e-9)
            assert prometheus.value(f"lossmeter_losses_not_finite_total{SERIES}") == 20
            assert prometheus.value(f"lossmeter_rows_ignored_total{SERIES}") == 20
            assert prometheus.value(f"lossmeter_row_loss_nats_count{SERIES}") == 20 * 39
            scored = (
                'lossmeter_http_request_duration_seconds_count{route="/v1/score",method="POST",status="200"}'
            )
            assert prometheus.value(scored) == 20
            assert prometheus.value("lossmeter_workers") == 2
            assert len(prometheus.query("process_resident_memory_bytes")) == 2
            promtool("check", "metrics", stdin=httpx2.get(f"{server.url}/metrics").text)
