"""What the store holds is told in the metrics and kept in bounds, also when nobody sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from events.conftest import taking
from events.kserve import send, taken, tell, v1
from prometheus import until

if TYPE_CHECKING:
    import httpx2

P = np.array([[0.75, 0.25], [0.5, 0.5]])
PREFIX = "lossmeter_events_"


def held(client: httpx2.Client) -> dict[str, float]:
    """The gauges of the store, but for the time."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name.removeprefix(PREFIX): sample.value
        for family in families
        for sample in family.samples
        if family.type == "gauge" and sample.name.startswith(PREFIX) and "timestamp" not in sample.name
    }


def test_what_is_held_is_told_and_goes_in_time(place: str) -> None:
    """Once, by two processes that share a store; halves that waited too long go without anyone asking for it."""
    with taking(place, workers=2, events_seconds=4, events_rows=50, events_bytes=10**6) as client:
        limits = {"rows_limit": 50, "bytes_limit": 1e6}
        nothing = dict.fromkeys(
            ("rows", "bytes", "requests_waiting", "predictions_waiting", "truths_waiting"), 0
        )
        until(lambda: held(client) == nothing | limits)
        taken(send(client, "both", v1(P)))
        tell(client, "both", [0, 1])
        for number in range(3):
            taken(send(client, f"half{number}", v1(P)))
        tell(client, "truth", [1, 1])
        waiting = {"predictions_waiting": 3, "truths_waiting": 1}
        until(lambda: held(client).items() >= waiting.items())
        found = held(client)
        assert found["rows"] == 6
        assert found["bytes"] > 3 * P.nbytes
        until(lambda: held(client) == nothing | limits)
