"""JSON that is meant to do harm: each document has its status, and none costs much more than an honest one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from access.endpoints import ENDPOINTS
from lossmeter.wire.cloudevents import BATCH, STRUCTURED
from resilience.monsters import LARGE, MONSTERS, WRONG, wrong
from resilience.targets import Target, of_size, weighing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resilience.conftest import Tell

PATHS = sorted({path for method, path in ENDPOINTS if method == "POST"})
DOORS = [(path, "application/json") for path in PATHS]
DOORS += [(path, mode) for path in PATHS if path.endswith("/events") for mode in (STRUCTURED, BATCH)]


@pytest.mark.parametrize(("body", "status"), MONSTERS.values(), ids=MONSTERS.keys())
def test_monsters(target: Target, body: bytes, status: int) -> None:
    """The answer has the status that the contract says, and is short."""
    answer = target.ask(body)
    assert answer.status == status, answer.body[:500]
    assert len(answer.body) <= 16 * 1024
    if status >= 400:
        assert answer.json()["status"] == status


@pytest.mark.parametrize(("path", "media_type"), DOORS)
def test_monsters_everywhere(target: Target, path: str, media_type: str) -> None:
    """No other endpoint fails on one of them either, or says much about it."""
    other = replace(target, path=path)
    for name, (body, _) in MONSTERS.items():
        answer = other.ask(body, {"Content-Type": media_type})
        assert 200 <= answer.status < 500, (name, answer.body)
        assert len(answer.body) <= 16 * 1024, name


def wrong_outcomes(target: Target) -> dict[str, float]:
    """How many of the documents are answered with another status than ours, or with none."""
    groups = {name: target.ask(target.wrap(body)).status // 100 for name, (body, _) in MONSTERS.items()}
    others = [name for name, (_, status) in MONSTERS.items() if groups[name] != status // 100]
    failed = sum(group in {0, 5} for group in groups.values())
    return {"documents": len(MONSTERS), "wrong": len(others), "5xx or none": failed}


def cost_of_wrong(target: Target, names: Iterable[str] = WRONG, size: int = LARGE) -> dict[str, float]:
    """What large documents cost that are wrong everywhere, beside an honest one of their size."""
    honest = target.wrap(of_size(size, include=[]))
    target.ask(honest)
    plain = cost(target, honest)
    most = {"seconds": 0.0, "answer": 0.0}
    before = target.resident()
    with weighing(target).on() as weight:
        for name in names:
            sent = target.wrap(wrong(name, size))
            started = target.cpu()
            answer = target.ask(sent)
            most["seconds"] = max(most["seconds"], target.cpu() - started)
            most["answer"] = max(most["answer"], len(answer.body))
    return {
        "CPU seconds": most["seconds"],
        "seconds of an honest one": plain,
        "growth / body": (weight.most - before) / size,
        "largest answer": most["answer"],
    }


def cost(target: Target, body: bytes) -> float:
    """Seconds of computing of one request."""
    started = target.cpu()
    target.ask(body)
    return target.cpu() - started


FEW = ("ragged", "1e400", "nested", "emoji")


@pytest.mark.parametrize("names", [FEW, pytest.param(WRONG, marks=pytest.mark.long)], ids=["few", "all"])
def test_cost_of_wrong(target: Target, names: tuple[str, ...], tell: Tell) -> None:
    """No document of 20 MB keeps a core busy for long, however wrong it is."""
    figures = cost_of_wrong(target, names)
    tell(f"{len(names)} documents of 20 MB that are wrong everywhere", figures)
    assert figures["largest answer"] <= 16 * 1024
    assert figures["CPU seconds"] < 10
    assert figures["growth / body"] < 30
