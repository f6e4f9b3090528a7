"""Faults are measured, and the figures told at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from resilience.targets import Target, probe
from servers import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _pytest.terminal import TerminalReporter

    Tell = Callable[[str, Mapping[str, float]], None]

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Makes room for the figures."""
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Tells them."""
    if config.stash[FIGURES]:
        terminalreporter.section("faults and figures")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Notes figures of a fault for the summary."""

    def note(fault: str, figures: Mapping[str, float]) -> None:
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        request.config.stash[FIGURES].append(f"{fault}: {told}")

    return note


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with short deadlines that takes events, and otherwise as it is, for faults that it survives."""
    with running(
        events_store=tmp_path_factory.mktemp("store") / "events.sqlite",
        header_timeout=2,
        body_timeout=2,
        write_timeout=2,
        max_requests_per_caller=4096,
    ) as server:
        started = Target(server.url, server.pid)
        assert probe(started) < 60
        yield started
