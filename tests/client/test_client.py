"""What the clients ask a real server, and what they make of its answers."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest

from client.compare import WAYS, same
from lossmeter import engine
from lossmeter.client import (
    AsyncClient,
    AuthenticationError,
    Client,
    ConnectionFailedError,
    InvalidInputError,
    LossmeterClientError,
    NotFoundError,
    ProblemError,
    Scores,
)
from lossmeter.engine import LOSSES
from servers import running

if TYPE_CHECKING:
    from client.conftest import Connect
    from servers import Server

RNG = np.random.default_rng(7)
LOGITS = RNG.normal(size=(6, 4))
TARGETS = np.array([0, 1, 2, 3, 3, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(connect: Connect, server: Server, loss: str, dtype: type[np.floating[Any]]) -> None:
    """The result is the engine's, in the width of the input."""
    logits, targets = LOGITS.astype(dtype), TARGETS
    if LOSSES[loss].binary:
        logits, targets = logits[:, 0], TARGETS % 2
    batch: dict[str, Any] = {"logits": logits, "targets": targets, "loss": loss}
    got = connect(server.url).score(**batch)
    same(got, engine.score(**batch), 1e-12 if dtype == np.float64 else 2e-6)


@pytest.mark.parametrize("way", WAYS)
def test_every_option(connect: Connect, server: Server, way: dict[str, bool]) -> None:
    """All of the contract's fields arrive."""
    options: dict[str, Any] = {
        "loss": {"name": "focal", "gamma": 1.5, "alpha": np.array([0.5, 1, 1, 2])},
        "class_weights": {"scheme": "effective_number", "beta": 0.9, "absent": "zero"},
        "sample_weights": [1, 2, 0.5, 1, 0, 3],
        "label_smoothing": np.float32(0.125),
        "ignore_index": np.int64(2),
        "temperature": 1.5,
        "reduction": "sum",
        "normalization": "count",
        "unit": "bits",
        "epsilon": 1e-3,
        "tolerance": 1e-3,
        "include": {"probabilities", "contributions", "kl"},
    }
    got = connect(server.url, **way).score(logits=LOGITS, targets=TARGETS, labels={"model": "a"}, **options)
    same(got, engine.score(logits=LOGITS, targets=TARGETS, **options))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_finite(connect: Connect, server: Server, way: dict[str, bool]) -> None:
    """Infinities travel both ways."""
    batch: dict[str, Any] = {"logits": [[0.0, -np.inf, 1.0], [1.0, 2.0, 3.0]], "targets": [1, 0]}
    got = connect(server.url, **way).score(**batch)
    assert got.loss == np.inf
    same(got, engine.score(**batch))


def test_nothing_included(connect: Connect, server: Server) -> None:
    """What was not asked for is None."""
    got = connect(server.url).score(logits=LOGITS, targets=TARGETS, include=())
    assert [got.losses, got.gradients, got.kl, got.class_weights] == [None] * 4
    assert got.count == 6


def test_lists_and_every_layout(connect: Connect, server: Server) -> None:
    """Lists, columns, other byte orders and narrow integers are the same batch."""
    client = connect(server.url)
    wanted = client.score(logits=LOGITS, targets=TARGETS)
    for logits in (
        LOGITS.tolist(),
        np.asfortranarray(LOGITS),
        np.repeat(LOGITS, 2, 0)[::2],
        LOGITS.astype(">f8"),
    ):
        same(client.score(logits=logits, targets=TARGETS.astype(np.uint8)), wanted)


def test_slices_and_state(connect: Connect, server: Server) -> None:
    """Slices tell their losses, and a state is text that merges as the engine's does."""
    client = connect(server.url)
    halves = [
        client.score(
            logits=LOGITS[rows],
            targets=TARGETS[rows],
            include=["state"],
            slices={"day": [day] * 3},
            cluster=[day] * 3,
        )
        for day, rows in (("mon", slice(3)), ("tue", slice(3, 6)))
    ]
    assert halves[0].slices is not None
    assert halves[0].slices["day"]["mon"].loss == halves[0].loss
    assert halves[0].state is not None
    assert halves[1].state is not None
    packed = [base64.b64decode(half.state or "") for half in halves]
    merged = engine.merge([engine.State.unpack(each) for each in packed])
    assert base64.b64decode(client.merge([halves[0].state, halves[1].state])) == merged.pack()
    assert client.merge([merged]) == base64.b64encode(merged.pack()).decode()


def test_softmax(connect: Connect, server: Server) -> None:
    """As the engine's."""
    got = connect(server.url).softmax(logits=LOGITS, temperature=2)
    same(got, engine.softmax(logits=LOGITS, temperature=2))


def test_divergence(connect: Connect, server: Server) -> None:
    """As the engine's, with the parts that are asked for."""
    asked: dict[str, Any] = {"p_logits": LOGITS[:3], "q_logits": LOGITS[3:], "unit": "bits"}
    same(connect(server.url).divergence(**asked), engine.divergence(**asked))
    got = connect(server.url).divergence(**asked, include=["contributions"])
    assert got.contributions is not None
    assert got.contributions.shape == (3, 4)


def test_class_weights(connect: Connect, server: Server) -> None:
    """As the engine's."""
    asked: dict[str, Any] = {"targets": TARGETS, "scheme": "effective_number", "beta": 0.5}
    same(connect(server.url).class_weights(**asked), engine.class_weights(**asked))


def test_losses_and_health(connect: Connect, server: Server) -> None:
    """The catalogue, and whether the server is ready."""
    client = connect(server.url)
    assert [loss["name"] for loss in client.losses()] == list(LOSSES)
    assert client.health().ready
    assert client.health().status == "ok"


def test_refused(connect: Connect, server: Server) -> None:
    """The error carries the problem, and reads well."""
    with pytest.raises(InvalidInputError) as caught:
        connect(server.url).score(logits=[[1.0, np.nan], [np.nan, 2.0]], targets=[0, 1])
    error = caught.value
    assert error.status == 422
    assert error.title == "Unprocessable Content"
    assert error.type == "about:blank"
    assert error.instance == "/v1/score"
    assert error.count == 2
    assert [offender.pointer for offender in error.errors] == ["/logits/0/1", "/logits/1/0"]
    assert error.errors[0].value == "NaN"
    assert isinstance(error, ValueError)
    assert str(error).startswith("422 Unprocessable Content: /logits/0/1: ")
    assert repr(error).startswith("InvalidInputError(status=422, detail='/logits/0/1: ")
    assert repr(error).endswith("errors=['/logits/0/1', '/logits/1/0'])")
    assert repr(pickle.loads(pickle.dumps(error))) == repr(error)  # noqa: S301 - our own


def test_refused_before_it_is_sent(connect: Connect, server: Server) -> None:
    """What is no array at all is refused by the same error."""
    with pytest.raises(InvalidInputError, match="422 Unprocessable Content: /logits"):
        connect(server.url).score(logits=[[1.0, 2.0], [1.0]], targets=[0, 1])


@pytest.mark.parametrize("logits", [[[True, False]], [["a", "b"]], [[1j, 2j]]])
def test_what_is_no_number(connect: Connect, server: Server, logits: list[list[Any]]) -> None:
    """No dtype but those of numbers is sent."""
    with pytest.raises(InvalidInputError, match="/logits: numbers are wanted, not"):
        connect(server.url).score(logits=logits, targets=[0])


def test_any_width(connect: Connect, server: Server) -> None:
    """Half precision is computed in single, extended precision in double; an option can be NumPy's."""
    client = connect(server.url)
    for dtype, wanted in ((np.float16, np.float32), (np.longdouble, np.float64)):
        got = client.score(logits=LOGITS.astype(dtype), targets=TARGETS, temperature=np.float64(2.0))
        assert got.losses is not None
        assert got.losses.dtype == wanted


def test_asynchronous_context(server: Server) -> None:
    """``async with`` opens and closes the client; calls run side by side."""

    async def main() -> list[Scores]:
        async with AsyncClient(server.url) as client:
            return await asyncio.gather(*(client.score(logits=LOGITS, targets=TARGETS) for _ in range(5)))

    assert len({scores.loss for scores in asyncio.run(main())}) == 1


def test_no_such_endpoint(connect: Connect, server: Server) -> None:
    """A path too many is told as such."""
    with pytest.raises(NotFoundError):
        connect(f"{server.url}/elsewhere/").score(logits=LOGITS, targets=TARGETS)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host/?x=1", ""])
def test_address(connect: Connect, url: str) -> None:
    """What is no address of a server is refused at once."""
    with pytest.raises(ValueError, match="base_url"):
        connect(url)


def test_key(connect: Connect) -> None:
    """The key opens the door, and stays out of the error and the repr."""
    with running(api_keys="alpha,beta") as guarded:
        assert connect(guarded.url, api_key="beta").score(logits=LOGITS, targets=TARGETS).count == 6
        for key, status in ((None, 401), ("gamma-secret", 403)):
            client = connect(guarded.url, api_key=key)
            with pytest.raises(AuthenticationError) as caught:
                client.score(logits=LOGITS, targets=TARGETS)
            assert caught.value.status == status
            assert "secret" not in f"{caught.value!r}{client!r}{client.session!r}"


def test_threads_share_a_client(server: Server) -> None:
    """Each gets its own answer."""
    with Client(server.url) as client, ThreadPoolExecutor(8) as pool:
        results = pool.map(
            lambda row: client.score(logits=LOGITS[[row]], targets=TARGETS[[row]]), list(range(6)) * 5
        )
        got = [each.loss for each in results]
    wanted = [engine.score(logits=LOGITS[[row]], targets=TARGETS[[row]]).loss for row in range(6)]
    assert got == wanted * 5


def test_a_client_of_httpx2(server: Server) -> None:
    """It is used with its own headers, and outlives ours."""
    seen: list[httpx2.Request] = []
    with httpx2.Client(headers={"X-Tenant": "me"}, event_hooks={"request": [seen.append]}) as http:
        with Client(server.url, http=http) as client:
            assert client.health().ready
        assert not http.is_closed
    assert seen[0].headers["X-Tenant"] == "me"


def test_a_transport(server: Server) -> None:
    """It carries the requests."""
    with Client(server.url, transport=httpx2.HTTPTransport(retries=1)) as client:
        assert client.health().ready


def test_a_request_that_cannot_be_sent(connect: Connect, server: Server) -> None:
    """A key that fits no header is an error of the tree, and nothing is sent again and again."""
    with pytest.raises(LossmeterClientError) as caught:
        connect(server.url, api_key="line\nbreak").score(logits=LOGITS, targets=TARGETS)
    assert not isinstance(caught.value, (ConnectionFailedError, ProblemError))


def test_every_endpoint_is_a_method() -> None:
    """Both clients have the same methods, and one for every path of the API."""
    paths = json.loads((Path(__file__).parents[1] / "api" / "openapi.json").read_text(encoding="utf-8"))[
        "paths"
    ]
    endpoints = {path.removeprefix("/v1/").replace("-", "_") for path in paths if path.startswith("/v1/")}
    methods = {name for name in dir(Client) if not name.startswith("_")}
    assert endpoints <= methods
    assert methods - {"close"} == {name for name in dir(AsyncClient) if not name.startswith("_")} - {"aclose"}


def test_importing_it_needs_no_server() -> None:
    """A fresh interpreter that has the client has none of the server's libraries."""
    code = "import sys, lossmeter.client; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "starlette", "uvicorn", "pydantic", "pyarrow", "tqdm"} & set(done.stdout.split())
