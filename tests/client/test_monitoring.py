"""The calls of monitoring: what they send, and what they make of the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flaky import answer, failing
from lossmeter import engine

if TYPE_CHECKING:
    from client.conftest import Connect
    from servers import Server

LOGITS = np.array([[1.0, 2.0], [0.5, 0.25]])


class Packed:
    """What can be packed like a state of the engine's."""

    def pack(self) -> bytes:
        """Three bytes."""
        return b"\x00\x01\x02"


def asked(connect: Connect, call: str, *args: object, **fields: object) -> tuple[str, dict[str, Any], Any]:
    """The path and the document that a call sends, and what it returns for ``{"state": "x", "z": "-Infinity"}``."""
    good = answer(200, b'{"state": "x", "z": "-Infinity", "curve": {"bins": [1, 2]}}')
    with failing([good]) as server:
        result = getattr(connect(server.url, binary=False), call)(*args, **fields)
        return server.heads[0].split()[1], json.loads(server.bodies[0]), result


@pytest.mark.parametrize("call", ["metrics", "calibrate", "expect"])
def test_batches(connect: Connect, call: str) -> None:
    """Every field goes as it is; the answer's members are attributes, its arrays NumPy's, its infinities numbers."""
    path, document, result = asked(
        connect, call, logits=LOGITS, targets=[1, 0], bins=np.int64(10), tolerance=None
    )
    assert path == f"/v1/{call}"
    assert document == {"logits": LOGITS.tolist(), "targets": [1, 0], "bins": 10}
    assert result.z == -np.inf
    assert result.curve["bins"].tolist() == [1, 2]
    with pytest.raises(AttributeError, match="has no 'nothing'; it has state, z, curve"):
        _ = result.nothing


def test_slices_and_state(connect: Connect) -> None:
    """Texts of rows go as lists; a state is asked for as text."""
    _, document, _ = asked(
        connect,
        "metrics",
        logits=LOGITS,
        targets=[1, 0],
        slices={"region": ("north", "south")},
        cluster=np.array([7, 7]),
        include={"state"},
        metrics=["accuracy"],
    )
    assert document["slices"] == {"region": ["north", "south"]}
    assert document["cluster"] == [7, 7]
    assert document["metrics"] == ["accuracy"]
    assert (document["include"], document["state_encoding"]) == (["state"], "binary")


def test_metrics_of_a_real_server(connect: Connect, server: Server) -> None:
    """They are the engine's; what is undefined says why."""
    got = connect(server.url).metrics(
        logits=LOGITS, targets=[1, 0], metrics=["accuracy", "log_loss", "roc_auc"]
    )
    wanted = engine.measure(logits=LOGITS, targets=[1, 0], metrics=["accuracy", "log_loss", "roc_auc"])
    assert got.count == 2
    assert got.metrics["log_loss"] == pytest.approx(wanted.metrics["log_loss"])
    assert got.metrics["accuracy"] == wanted.metrics["accuracy"]


def test_states_are_merged_by_as_many_as_fit(connect: Connect) -> None:
    """However small a body may be, two states at least go together, and in the end there is one."""
    with failing([answer(200, json.dumps({"state": "m" * 30}).encode())]) as server:
        assert connect(server.url, max_bytes=64 + 3 * 35).merge(["s" * 30] * 8) == "m" * 30
        assert [len(json.loads(body)["states"]) for body in server.bodies] == [3, 3, 2, 3]
        server.bodies.clear()
        connect(server.url, max_bytes=1).merge(["s" * 30] * 3)
        assert [len(json.loads(body)["states"]) for body in server.bodies] == [2, 1, 2]


def test_states_of_a_real_server(connect: Connect, server: Server) -> None:
    """Windows are scored, merged, reported on and compared, without their rows."""
    client, rng = connect(server.url), np.random.default_rng(5)
    logits, targets = rng.normal(size=(400, 3)), rng.integers(0, 3, 400)
    good, bad = (
        client.score(logits=sharpness * logits, targets=targets, include=["state"]).state or ""
        for sharpness in (1, 4)
    )
    report = client.report(client.merge([good, bad]), level=0.9, metrics=["accuracy"])
    assert report.count == 800
    assert report.metrics.accuracy == engine.measure(logits=logits, targets=targets).metrics["accuracy"]
    comparison = client.compare(reference=good, current=bad)
    assert comparison.current.loss - comparison.reference.loss == pytest.approx(comparison.difference)
    assert comparison.verdict == "worse"


def test_states(connect: Connect) -> None:
    """A state is taken as text, as an object, and as the engine's; merging gives text."""
    states = ["abc", {"version": 1}, Packed()]
    path, document, result = asked(connect, "merge", iter(states))
    assert path == "/v1/merge"
    assert document == {"states": ["abc", {"version": 1}, "AAEC"], "state_encoding": "binary"}
    assert result == "x"
    path, document, _ = asked(connect, "report", Packed(), level=0.9)
    assert (path, document) == ("/v1/report", {"state": "AAEC", "level": 0.9})
    path, document, _ = asked(connect, "compare", reference="abc", current=Packed(), threshold=0.1)
    assert (path, document) == ("/v1/compare", {"reference": "abc", "current": "AAEC", "threshold": 0.1})


def test_paired_losses(connect: Connect) -> None:
    """Losses of two models go as arrays."""
    losses = np.array([0.5, 1.0], dtype=np.float32)
    _, document, _ = asked(connect, "compare", reference_losses=losses, current_losses=[1, 2])
    assert document == {"reference_losses": [0.5, 1.0], "current_losses": [1, 2]}
