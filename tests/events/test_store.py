"""What is kept: across crashes, between processes, within bounds."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import psycopg
import pytest

from commands import run
from events import postgres
from events.conftest import taking
from events.kserve import new, reports, send, taken, tell, v1, waiting
from lossmeter.events import keeping
from lossmeter.events.database import StoreUnavailableError
from lossmeter.events.exchange import Prediction, Truth
from lossmeter.events.pairing import Intake, Outcome
from lossmeter.events.postgres import PostgresDatabase
from lossmeter.events.sqlite import SQLiteDatabase
from lossmeter.events.store import Caps, Store, StoreFullError, Usage
from servers import PATIENCE, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = np.array([[0.75, 0.25], [0.5, 0.5]])


def count(client: httpx2.Client) -> int:
    """Rows in all reports."""
    return sum(each["report"]["count"] for each in reports(client))


def test_nothing_is_lost_when_a_server_is_killed(place: str) -> None:
    """Halves and pairs that were acknowledged are there when it starts again; duplicates are still known."""
    with (
        running(events_store=place) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        taken(send(client, "scored", v1(P)))
        tell(client, "scored", [0, 1])
        taken(send(client, "half", v1(P)))
        tell(client, "truth", [1, 1])
        os.kill(server.pid, signal.SIGKILL)
    with taking(place) as client:
        assert taken(send(client, "scored", v1(P))) == {"duplicate": 1}
        assert taken(send(client, "half", v1(P))) == {"duplicate": 1}
        assert tell(client, "half", [1, 0])["outcome"] == "scored"
        assert taken(send(client, "truth", v1(P))) == {"scored": 1, "rows": 2}
        assert count(client) == 6


def test_a_kill_in_the_middle_of_everything(place: str) -> None:
    """Senders that send again until they are told 200 end with every pair scored once, whenever the server died."""
    ids = [new() for _ in range(40)]
    address: list[str] = []
    done: list[str] = []

    def deliver(id_: str) -> None:
        with httpx2.Client(base_url=address[-1], timeout=PATIENCE) as client:
            while not _accepted(send, client, id_, v1(P)):
                client.base_url = httpx2.URL(address[-1])
            while not _accepted(_told, client, id_, [0, 1]):
                client.base_url = httpx2.URL(address[-1])
        done.append(id_)

    with ThreadPoolExecutor(4) as pool:
        with running(events_store=place) as server:
            address.append(server.url)
            jobs = [pool.submit(deliver, id_) for id_ in ids]
            while len(done) < len(ids) // 2:
                assert not any(job.done() and job.exception() for job in jobs)
                time.sleep(0.01)
            os.kill(server.pid, signal.SIGKILL)
        with taking(place) as client:
            address.append(str(client.base_url))
            for job in jobs:
                job.result()
            assert waiting(client) == {}
            assert count(client) == 2 * len(ids)


def _told(client: httpx2.Client, id_: str, targets: list[int]) -> httpx2.Response:
    return client.post("/v1/feedback", json={"id": id_, "targets": targets})


def _accepted(ask: Callable[..., httpx2.Response], *arguments: object) -> bool:
    """Whether it was acknowledged; else it is to be sent again, a little later."""
    try:
        status = ask(*arguments).status_code
    except httpx2.HTTPError:
        status = 0
    assert status in {0, 200, 503}
    if status != 200:
        time.sleep(0.05)
    return status == 200


def test_workers_share_a_store(place: str) -> None:
    """Halves that come to different processes at the same time meet, and no pair is scored twice."""
    ids = [new() for _ in range(24)]
    with running(events_store=place, workers=2) as server:

        def half(job: tuple[str, str]) -> dict[str, Any]:
            id_, which = job
            # A connection each, so that the system spreads them over the processes.
            with httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
                return taken(send(client, id_, v1(P))) if which == "p" else tell(client, id_, [0, 1])

        jobs = [(id_, which) for id_ in ids for which in ("p", "t", "p", "t")]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(half, jobs))
        scored = sum(each.get("scored", 0) or each.get("outcome") == "scored" for each in outcomes)
        assert scored == len(ids)
        with httpx2.Client(base_url=server.url, timeout=PATIENCE) as client:
            assert count(client) == 2 * len(ids)
            metrics = client.get("/metrics").text
            rows = [line for line in metrics.splitlines() if line.startswith("lossmeter_rows_scored_total{")]
            assert sum(float(line.split()[-1]) for line in rows) == 2 * len(ids)


def test_replicas_share_postgresql(cluster: str) -> None:
    """A half at one replica and a half at another are a pair, and both tell the same report."""
    place = postgres.database(cluster)
    with taking(place) as one, taking(place) as other:
        for number in range(10):
            taken(send(one if number % 2 else other, f"r{number}", v1(P)))
            assert tell(other if number % 2 else one, f"r{number}", [0, 1])["outcome"] == "scored"
        assert reports(one) == reports(other)
        assert count(one) == 20


def test_postgresql_comes_back(cluster: str) -> None:
    """Connections that the server ends are made anew, and nobody notices."""
    place = postgres.database(cluster)
    with taking(place) as client:
        taken(send(client, "a", v1(P)))
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert tell(client, "a", [0, 1])["outcome"] == "scored"


def test_a_full_store_refuses(tmp_path: Path) -> None:
    """What waits is not dropped: new halves are refused until pairs have made room."""
    with taking(tmp_path / "events.sqlite", events_rows=10) as client:
        answers = [send(client, f"w{number}", v1(P)) for number in range(15)]
        assert Counter(answer.status_code for answer in answers) == {200: 10, 503: 5}
        assert answers[-1].headers["Retry-After"] == "1"
        assert "nothing was taken" in answers[-1].json()["detail"]
        assert client.post("/v1/feedback", json={"id": "new", "targets": [0]}).status_code == 503
        assert waiting(client) == {"predictions": 10}
        for number in range(10):
            assert tell(client, f"w{number}", [0, 1])["outcome"] == "scored"
        assert taken(send(client, "w14", v1(P))) == {"waiting": 1}
        assert count(client) == 20


@contextmanager
def intake(place: str, **caps: float) -> Iterator[tuple[Store, Callable[..., str], Callable[[], int]]]:
    """A store with these caps; what becomes of a half; how many rows are in its states."""
    usual = {"seconds": 3600, "rows": 1000, "bytes": 10**6, "days": 90, "series": 100}
    database = PostgresDatabase(place) if "://" in place else SQLiteDatabase(Path(place))
    store = Store(database, Caps(**{**usual, **caps}))  # type: ignore[arg-type]  # all of them are numbers
    take = Intake(store, 1e-3, lambda *_: None).take

    def half(id_: str, targets: object = None, model: str = "m", rows: int = 2) -> str:
        found = (
            Prediction(id_, {"model": model}, "probabilities", np.full((rows, 2), 0.5))
            if targets is None
            else Truth(id_, np.asarray(targets))
        )
        (outcome,) = take([found])
        assert isinstance(outcome, Outcome)
        return outcome.name

    def kept() -> int:
        keeping.keep(store, 1e-3)
        with store.transaction(()):
            states = store.states("2000-01-01", "2999-01-01")
        return sum(series.state.count for series in keeping.merged(states, {}))

    try:
        yield store, half, kept
    finally:
        store.close()


def usage_of(store: Store) -> Usage:
    """What there is."""
    with store.transaction(()):
        return store.usage()


def test_what_is_old_goes(place: str) -> None:
    """Halves that waited too long are gone, states are not; an id is new again. States go after their days."""
    with intake(place, seconds=0.2) as (store, half, kept):
        assert [half("scored"), half("scored", [0, 1])] == ["waiting", "scored"]
        assert [half("half"), half("truth", [0, 1])] == ["waiting", "waiting"]
        assert kept() == 2
        time.sleep(0.3)
        with store.transaction(()):
            store.sweep()
        assert usage_of(store) == Usage(0, 0, 0, 0, 0)
        assert kept() == 2
        assert half("half", [0, 1]) == "waiting"
        assert half("scored") == "waiting"
    with intake(place, days=-1) as (store, _, kept):
        with store.transaction(()):
            store.sweep()
        assert kept() == 0


def test_rows_are_bounded(place: str) -> None:
    """What is only known again makes room, the oldest first; nothing of the sums is lost."""
    with intake(place, rows=10) as (store, half, kept):
        for number in range(20):
            try:
                half(f"s{number}")
            except StoreFullError:  # the service adds what was scored to the states, and tries again
                kept()
                half(f"s{number}")
            assert half(f"s{number}", [0, 1]) == "scored"
        assert usage_of(store).rows <= 11
        assert half("s19") == "duplicate"
        assert kept() == 40
        assert half("s0") == "waiting"


def test_bytes_are_bounded(place: str) -> None:
    """Arrays too: scored ones leave their room once they are in a state."""
    with intake(place, bytes=4000) as (store, half, kept):
        for number in range(2):
            half(f"b{number}", rows=100)
        with pytest.raises(StoreFullError):
            half("b2", rows=100)
        assert half("b0", [0] * 100) == "scored"
        assert half("b1", [0] * 100) == "scored"
        assert kept() == 200
        assert usage_of(store).bytes < 4000
        assert half("b2", rows=100) == "waiting"
        with pytest.raises(StoreFullError):
            half("huge", rows=1000)


def test_series_are_bounded(place: str) -> None:
    """Those beyond the cap are held together, and nothing is missing from the sum."""
    with intake(place, series=3) as (store, half, kept):
        for number in range(6):
            half(f"m{number}", model=f"m{number}")
            half(f"m{number}", [0, 1])
        assert kept() == 12
        with store.transaction(()):
            states = store.states("2000-01-01", "2999-01-01")
        models = {series.labels["model"]: series.state.count for series in keeping.merged(states, {})}
        assert len(models) == 4
        assert models["other"] == 6


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    """The service does not start, and says which setting it is."""
    for place in (tmp_path / "no" / "folder", "postgresql://nobody@127.0.0.1:9/none"):
        done = run("serve", "--port", "0", LOSSMETER_EVENTS_STORE=str(place))
        assert done.returncode != 0
        assert "LOSSMETER_EVENTS_STORE cannot be used" in done.stdout + done.stderr


def test_another_process_may_just_be_making_the_file(tmp_path: Path) -> None:
    """Workers that start together open a new file at once: who comes second waits for the first, and does not fail."""
    path = tmp_path / "events.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("BEGIN IMMEDIATE")
        soon = Timer(0.2, first.execute, ("COMMIT",))
        soon.start()
        Store(SQLiteDatabase(path), Caps(1, 1, 1, 1, 1)).close()
        soon.join()


def test_a_database_of_another_version(tmp_path: Path) -> None:
    """Tables of another version are not touched."""
    path = tmp_path / "events.sqlite"
    caps = Caps(1, 1, 1, 1, 1)
    Store(SQLiteDatabase(path), caps).close()
    Store(SQLiteDatabase(path), caps).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE lossmeter_schema SET version = 7")
    connection.close()
    with pytest.raises(StoreUnavailableError, match="version"):
        Store(SQLiteDatabase(path), caps)
