"""What the clients do when the network and the server fail them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flaky import answer, busy, cut, drip, failing, reset, silence, stall
from lossmeter.client import (
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidInputError,
    LossmeterClientError,
    OverloadedError,
    ProblemError,
    ServerFailedError,
    UnexpectedAnswerError,
    UnsupportedMediaTypeError,
)
from lossmeter.client.errors import problem
from lossmeter.client.messages import Message
from lossmeter.client.retries import Deadline, Policy, seconds_of
from lossmeter.client.session import Session

if TYPE_CHECKING:
    from client.conftest import Connect
    from flaky import Action

BATCH: dict[str, Any] = {"logits": [[1.0, 2.0]], "targets": [0]}
GOOD = answer(
    200,
    b'{"loss": 1.5, "reduction": "mean", "unit": "nats", "denominator": 1, "count": 1, "ignored": 0}',
)


@pytest.mark.parametrize(
    "failure",
    [reset, silence, cut, busy(429), busy(503), busy(503, after="0"), busy(502), busy(504)],
    ids=["reset", "silence", "cut", "429", "503", "503 with Retry-After", "502", "504"],
)
def test_what_passes_is_tried_again(connect: Connect, failure: Action) -> None:
    """The whole body is sent at each attempt, and the caller sees nothing of it but the answer."""
    with failing([failure, failure, GOOD]) as server:
        assert connect(server.url).score(**BATCH).loss == 1.5
        assert len(server.bodies) == 3
        assert len(set(server.bodies)) == 1
        assert server.bodies[0]


def test_stalled(connect: Connect) -> None:
    """A connection that stands still is given up after the timeout, and another one is made."""
    with failing([stall, GOOD]) as server:
        assert connect(server.url, timeout=0.2).score(**BATCH).loss == 1.5


def test_retry_after_is_honoured(connect: Connect) -> None:
    """The pause is at least what the server asks for."""
    with failing([busy(after="1"), GOOD]) as server:
        started = time.monotonic()
        connect(server.url).score(**BATCH)
        assert time.monotonic() - started >= 1


@pytest.mark.parametrize("failure", [reset, busy()])
def test_retries_end(connect: Connect, failure: Action) -> None:
    """After as many retries as the client has, the last failure is raised."""
    with failing([failure]) as server:
        with pytest.raises((ConnectionFailedError, OverloadedError)):
            connect(server.url, retries=2).score(**BATCH)
        assert len(server.heads) == 3


def test_nothing_listens(connect: Connect) -> None:
    """A refused connection is told within the retries."""
    with failing([GOOD]) as server:
        url = server.url
    with pytest.raises(ConnectionFailedError, match="Connect"):
        connect(url, retries=1).score(**BATCH)


@pytest.mark.parametrize("failure", [stall, drip])
def test_deadline(connect: Connect, failure: Action) -> None:
    """An attempt ends with the call's time, also where the connection is never still for long."""
    with failing([failure]) as server:
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            connect(server.url, deadline=0.3).score(**BATCH)
        assert time.monotonic() - started < 5


def test_deadline_carries_what_failed_before(connect: Connect) -> None:
    """Its cause is the refusal before."""
    with failing([busy(after="0"), stall]) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            connect(server.url, deadline=1).score(**BATCH)
        assert isinstance(caught.value.__cause__, OverloadedError)


def test_pause_beyond_the_deadline(connect: Connect) -> None:
    """Nobody waits for an attempt that would come too late: the refusal is raised at once."""
    with failing([busy(429, after="3600"), GOOD]) as server:
        with pytest.raises(OverloadedError) as caught:
            connect(server.url).score(**BATCH)
        assert caught.value.retry_after == 3600
        assert caught.value.status == 429
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(500, ServerFailedError), (418, ProblemError), (422, InvalidInputError)]
)
def test_what_stays_is_not_tried_again(connect: Connect, status: int, kind: type[ProblemError]) -> None:
    """A refusal that would be the same again is raised."""
    with failing([busy(status), GOOD]) as server:
        with pytest.raises(kind) as caught:
            connect(server.url).score(**BATCH)
        assert type(caught.value) is kind
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    "said",
    [
        answer(200, b"<html>", "text/html"),
        answer(200, b'{"loss": ', "application/json"),
        answer(200, b"[1]", "application/json"),
        answer(200, b"not gzip", "application/json", Content_Encoding="gzip"),
    ],
    ids=["a page", "half a document", "no object", "no gzip"],
)
def test_unexpected_answer(connect: Connect, said: Action) -> None:
    """What is none of lossmeter's answers is an error of the tree, not of a parser."""
    with failing([said]) as server, pytest.raises(UnexpectedAnswerError):
        connect(server.url).score(**BATCH)


@pytest.mark.parametrize(
    "body", [b"<h1>No way</h1>", b"", b"[]", b'{"errors": 3, "status": "x", "count": "many"}']
)
def test_refusal_that_is_no_problem(connect: Connect, body: bytes) -> None:
    """A proxy's own refusal has its status and the beginning of its page."""
    with failing([answer(403, body)]) as server, pytest.raises(ProblemError) as caught:
        connect(server.url).score(**BATCH)
    assert caught.value.status == 403
    assert str(caught.value).startswith("403 ")


def test_a_server_that_reads_json_alone(connect: Connect) -> None:
    """What it refuses as bytes is sent as JSON, at once and from then on; an answer of 32 bits stays one."""
    scores = (
        b'{"losses": [0.5], "reduction": "none", "unit": "nats", "denominator": 1, "count": 1, "ignored": 0}'
    )
    with failing([busy(415), answer(200, scores)]) as server:
        client = connect(server.url)
        for _ in range(2):
            losses = client.score(logits=np.ones((1, 2), dtype=np.float32), targets=[0]).losses
            assert losses is not None
            assert losses.dtype == np.float32
        assert [head.partition("Content-Type: ")[2].split()[0] for head in server.heads] == [
            "application/x-npz",
            "application/json",
            "application/json",
        ]


def test_a_server_that_reads_nothing(connect: Connect) -> None:
    """Where JSON is refused, too, that is raised."""
    with failing([busy(415)]) as server, pytest.raises(UnsupportedMediaTypeError):
        connect(server.url).score(**BATCH)


def test_health_is_asked_once(connect: Connect) -> None:
    """A probe tells what is now; a server that is not ready says why."""
    stopping = answer(503, b'{"status": "stopping"}')
    with failing([stopping, silence, busy(), GOOD]) as server:
        client = connect(server.url)
        assert not client.health().ready
        with pytest.raises(ConnectionFailedError):
            client.health()
        with pytest.raises(OverloadedError):
            client.health()
        assert len(server.heads) == 3


def policy(**options: float) -> Policy:
    """A policy whose clock stands, with the longest pauses."""
    return Policy(5, 100.0, None, clock=lambda: 0.0, jitter=lambda: 1.0, **options)


def test_pauses_double() -> None:
    """The longest pause doubles up to its limit, and comes on top of what the server asks for."""
    bounds = policy(first=1, longest=5)
    lost = ConnectionFailedError()
    assert [bounds.pause(lost, k, bounds.begin()) for k in range(5)] == [1, 2, 4, 5, 5]
    assert bounds.pause(problem(503, {}, 10), 0, bounds.begin()) == 11


def test_deadline_of_no_end() -> None:
    """Without a deadline there is always time."""
    bounds = Policy(5, None, None)
    assert bounds.begin().left() is None
    assert bounds.pause(problem(429, {}, 1e6), 0, bounds.begin()) >= 1e6


def test_deadline_that_has_passed() -> None:
    """Nothing is begun after the end."""
    session = Session("http://127.0.0.1:1", policy())
    with pytest.raises(DeadlineExceededError):
        next(session.attempt("GET", "/", Deadline(lambda: 2.0, 1.0), Message({})))


def test_retry_after() -> None:
    """Seconds or a date; rubbish asks for nothing."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 50 < (seconds_of(soon) or 0) <= 60
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_of(" 7 ") == 7
    assert [seconds_of(text) for text in (None, "", "soon", "-1", "1.5")] == [None] * 5


def test_every_error_is_of_one_tree() -> None:
    """One ``except`` takes them all."""
    for kind in (ConnectionFailedError, DeadlineExceededError, UnexpectedAnswerError, ProblemError):
        assert issubclass(kind, LossmeterClientError)
