"""Both clients by one suite: what a test calls waits, whichever it is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, cast

import httpx2
import pytest

from client.compare import CONTEXT
from lossmeter.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Connect(Protocol):
    """Makes a client that is closed when the test ends."""

    def __call__(self, url: str, **options: Any) -> Client:  # noqa: ANN401 - what a client takes
        """A client of the server at this address."""


class Waiting:
    """An asynchronous client with the methods of a blocking one."""

    def __init__(self, url: str, **options: Any) -> None:  # noqa: ANN401 - what a client takes
        self._runner = asyncio.Runner()
        self._client = AsyncClient(url, **options)
        self.session = self._client.session

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        async def run(*args: object, **kwargs: object) -> object:
            return await method(*args, **kwargs)

        return lambda *args, **kwargs: self._runner.run(run(*args, **kwargs))

    def __repr__(self) -> str:
        return repr(self._client)

    def close(self) -> None:
        """Close the client and its loop."""
        self._runner.run(self._client.aclose())
        self._runner.close()


TRANSPORTS = {Client: httpx2.HTTPTransport, Waiting: httpx2.AsyncHTTPTransport}


@pytest.fixture(params=[Client, Waiting], ids=["blocking", "asynchronous"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """What makes a client, of either kind."""
    with ExitStack() as stack:

        def connect(url: str, **options: Any) -> Client:  # noqa: ANN401 - what a client takes
            transport = TRANSPORTS[request.param](verify=CONTEXT)
            made = request.param(url, **{"transport": transport, **options})
            stack.callback(made.close)
            return cast("Client", made)

        yield connect
