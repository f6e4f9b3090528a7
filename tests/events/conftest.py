"""A server that takes events, in each kind of database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from events import postgres
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Taking = Callable[..., AbstractContextManager[httpx2.Client]]


@contextmanager
def taking(place: object, **settings: Any) -> Iterator[httpx2.Client]:  # noqa: ANN401 - as `running` has them
    """A client of a server with this store."""
    with (
        running(events_store=place, **settings) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a PostgreSQL of our own."""
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.cluster() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be, fresh, in each kind of database."""
    if request.param == "sqlite":
        return str(tmp_path / "events.sqlite")
    return postgres.database(request.getfixturevalue("cluster"))


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of one server for the tests of a module; their ids and series are their own."""
    with taking(tmp_path_factory.mktemp("store") / "events.sqlite") as client:
        yield client
