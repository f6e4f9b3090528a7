"""Batches that are larger than the server takes: parts of them, and the law that the answer is that to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.compare import CONTEXT, WAYS, same
from flaky import answer, failing
from lossmeter import engine
from lossmeter.client import Client, InvalidInputError, Scores, TooLargeError
from servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.conftest import Connect
    from servers import Server

LARGEST = 4000


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    """A server that takes small bodies."""
    with running(max_body_bytes=LARGEST, max_bytes_in_flight=10 * LARGEST) as started:
        yield started


@pytest.fixture(scope="module")
def few() -> Iterator[Server]:
    """A server that takes few numbers."""
    with running(max_elements=120) as started:
        yield started


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Any]:
    """Batches of every kind of truth, weight and option."""
    n, classes = draw(st.integers(2, 90)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    loss = draw(st.sampled_from(["cross_entropy", "focal", "squared_error", "binary_cross_entropy"]))
    binary = loss.startswith("binary")
    shape = (n,) if binary and draw(st.booleans()) else (n, classes)
    batch: dict[str, Any] = {"logits": (3 * rng.normal(size=shape)).astype(dtype), "loss": loss}
    if binary:
        batch["targets"] = rng.integers(0, 2, shape)
    elif draw(st.booleans()):
        batch["targets"] = rng.dirichlet(np.ones(classes), n)
    else:
        batch["targets"] = np.concatenate([np.arange(classes), rng.integers(0, classes, n)])[-n:]
        if draw(st.booleans()):
            batch["ignore_index"] = classes - 1
    if draw(st.booleans()):
        batch["sample_weights"] = rng.integers(0, 3, n) * draw(st.sampled_from([0.0, 0.5]))
    if draw(st.booleans()):
        batch["class_weights"] = draw(
            st.sampled_from(["balanced", {"scheme": "effective_number", "absent": "zero"}])
        )
    batch["unit"] = draw(st.sampled_from(["nats", "bits"]))
    batch["reduction"] = draw(st.sampled_from(["mean", "sum", "none"]))
    batch["normalization"] = draw(st.sampled_from(["weight", "count"]))
    if draw(st.booleans()):
        letters = np.array(["north", "südlich", "€"])
        batch["slices"] = {"region": letters[rng.integers(0, 3, n)], "desk": ["a"] * n}
    batch["include"] = draw(st.sets(st.sampled_from(engine.options.PARTS)))
    return batch


def outcome(client: Client, batch: dict[str, Any]) -> Scores | str:
    """The scores, or the sentence of the refusal."""
    try:
        return client.score(**batch)
    except InvalidInputError as refusal:
        return refusal.detail


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=batches(), way=st.sampled_from(WAYS))
def test_parts_are_the_whole(server: Server, batch: dict[str, Any], way: dict[str, bool]) -> None:
    """The answer in parts is that to the whole, to 1e-12 (4e-6 in float32), whatever the batch; so is its refusal."""
    with httpx2.Client(verify=CONTEXT) as http:
        whole = outcome(Client(server.url, http=http), batch)
        in_parts = outcome(Client(server.url, http=http, binary=way["binary"], max_bytes=1500), batch)
    if isinstance(whole, str) or isinstance(in_parts, str):
        assert in_parts == whole
    else:
        same(in_parts, whole, 1e-12 if batch["logits"].dtype == np.float64 else 4e-6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", ["narrow", "few"])
def test_limits_are_learnt(
    connect: Connect, request: pytest.FixtureRequest, limit: str, way: dict[str, bool]
) -> None:
    """The server is asked once too much; from then on its parts fit."""
    rng = np.random.default_rng(1)
    logits, targets = rng.normal(size=(300, 5)), rng.integers(0, 5, 300)
    client = connect(request.getfixturevalue(limit).url, **way)
    got = client.score(logits=logits, targets=targets)
    same(got, engine.score(logits=logits, targets=targets))
    learnt = client.session.limits
    assert (learnt.max_bytes, learnt.max_elements) in {(LARGEST, 2**24), (64 * 2**20, 120)}
    same(client.score(logits=logits, targets=targets), got)


def test_a_refusal_arrives_while_much_is_sent(connect: Connect, narrow: Server) -> None:
    """The server's answer comes before it has read the body, and is not lost with the connection."""
    logits = np.zeros((2000, 1000))
    client = connect(narrow.url, retries=0)
    with pytest.raises(TooLargeError):
        client.score(logits=logits, targets=[0] * 2000)
    assert client.session.limits.max_bytes == LARGEST


def test_pointers_are_of_the_whole(connect: Connect, narrow: Server) -> None:
    """A refusal of a later part points into the batch as the caller has it."""
    targets = np.zeros(400, dtype=int)
    targets[[333, 350]] = 9
    with pytest.raises(InvalidInputError) as caught:
        connect(narrow.url).score(logits=np.ones((400, 3)), targets=targets)
    assert caught.value.errors[0].pointer == "/targets/333"
    assert caught.value.detail.startswith("/targets/333: ")


def test_lengths_that_differ(connect: Connect, narrow: Server) -> None:
    """Arrays that do not belong together are not cut as if they did."""
    with pytest.raises(InvalidInputError, match="400 rows are wanted, as logits has, not 399"):
        connect(narrow.url).score(logits=np.ones((400, 3)), targets=np.zeros(399, dtype=int))


def test_a_class_without_examples(connect: Connect, narrow: Server) -> None:
    """Balanced weights that cannot be are refused in the server's words."""
    with pytest.raises(InvalidInputError, match="/targets: no example of class 2"):
        connect(narrow.url).score(logits=np.ones((400, 3)), targets=[0, 1] * 200, class_weights="balanced")


def test_one_row_that_is_too_large(connect: Connect, narrow: Server) -> None:
    """Nor is a batch of a single row halved."""
    with pytest.raises(TooLargeError):
        connect(narrow.url).score(logits=np.ones((1, 5000)), targets=[0])


def test_a_row_that_is_too_large(connect: Connect, narrow: Server) -> None:
    """What cannot be cut further is refused as too large, with the limits."""
    with pytest.raises(TooLargeError) as caught:
        connect(narrow.url).score(logits=np.ones((3, 5000)), targets=[0, 1, 2])
    assert caught.value.max_body_bytes == LARGEST
    assert caught.value.max_elements == 2**24


def test_many_slices(connect: Connect, server: Server) -> None:
    """Which values an answer tells apart is decided of all rows together."""
    regions = [str(row % 150) for row in range(400)]
    batch: dict[str, Any] = {"logits": np.eye(400, 3), "targets": [0] * 400, "slices": {"region": regions}}
    got = connect(server.url, max_bytes=LARGEST).score(**batch).slices
    assert got is not None
    assert len(got["region"]) == 101
    assert sum(told.count for told in got["region"].values()) == 400


def test_what_cannot_be_cut(connect: Connect, narrow: Server) -> None:
    """Clusters stay together."""
    batch: dict[str, Any] = {"logits": np.zeros((400, 3)), "targets": [0] * 400}
    with pytest.raises(TooLargeError, match="send whole clusters"):
        connect(narrow.url).score(**batch, cluster=np.arange(400))


def test_a_proxy_that_tells_no_limit(connect: Connect) -> None:
    """The batch is halved until it passes."""
    part = answer(
        200, b'{"loss": 2, "reduction": "sum", "unit": "nats", "denominator": 4, "count": 4, "ignored": 0}'
    )
    large = answer(413, b"<h1>Too large</h1>", "text/html")
    with failing([large, large, part]) as proxy:
        got = connect(proxy.url, binary=False).score(logits=np.ones((8, 2)), targets=[0] * 8, include=[])
        assert [body.count(b"[1.0,1.0]") for body in proxy.bodies] == [8, 4, 2, 2, 2, 2]
    assert (got.loss, got.count, got.denominator) == (0.5, 16, 16.0)
