"""What every test may use: one server for all, and a client of it."""

from __future__ import annotations

import inspect
import signal
from typing import TYPE_CHECKING

import httpx2
import pytest

from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Clients wait as long as the tests do: a machine that is busy is no failure, and five seconds are short for it."""
    usual = inspect.signature(httpx2.Client).parameters["timeout"].default
    usual.connect = usual.read = usual.write = usual.pool = PATIENCE
    # A shell makes what it starts in the background deaf to Ctrl-C, and so would be the services that tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server as it is without any setting, for tests that leave no trace in it."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx2.Client]:
    """A client of that server; each costs a quarter of a second to make."""
    with httpx2.Client(base_url=server.url, timeout=PATIENCE) as opened:
        yield opened
