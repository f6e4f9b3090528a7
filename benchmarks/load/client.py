"""The load: connections that ask again as soon as they are answered, the same for every server.

Requests are bytes that were made before, and answers are parsed by httptools, which takes Content-Length and chunks
alike. Nothing is decoded while the clock runs. With uvloop a question costs this process about 20 µs.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httptools
import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds that one answer may take."""


class FailedError(Exception):
    """A server did not answer as it should."""


@dataclass
class Answer:
    """What came back: headers in lower case, and the body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Timed:
    """Answers at one concurrency.

    Attributes:
        seconds: of each, sorted, from the first byte sent to the last byte received.
        rate: answers per second.
        processor: seconds of processor time that the server took for each, if that was measured.
    """

    seconds: list[float]
    rate: float
    processor: float = 0.0

    def quantile(self, share: float) -> float:
        """The smallest time that at least this share of the answers kept to, in seconds."""
        return self.seconds[max(0, math.ceil(share * len(self.seconds)) - 1)]


def ask(address: tuple[str, int], request: bytes, patience: float = PATIENCE) -> Answer:
    """One request on a connection of its own, and its whole answer, within so many seconds."""
    return _run(_ask(address, request, patience))


def load(address: tuple[str, int], request: bytes, connections: int, seconds: float) -> Timed:
    """So many connections, each with one request in flight, for so long; each is answered at least once."""
    return _run(_load(address, request, connections, seconds))


async def _ask(address: tuple[str, int], request: bytes, patience: float) -> Answer:
    caller = await _connect(address, request, keep=True)
    await caller.ask_until(0.0, patience)
    return caller.answer


async def _load(address: tuple[str, int], request: bytes, connections: int, seconds: float) -> Timed:
    callers = [await _connect(address, request) for _ in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*[caller.ask_until(began + seconds) for caller in callers])
    taken = sorted(each for caller in callers for each in caller.seconds)
    return Timed(taken, len(taken) / (time.perf_counter() - began))


async def _connect(address: tuple[str, int], request: bytes, *, keep: bool = False) -> Caller:
    loop = asyncio.get_running_loop()
    _, caller = await loop.create_connection(lambda: Caller(request, keep=keep), *address)
    return caller


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(work)
        except (OSError, TimeoutError) as error:
            raise FailedError(str(error) or "no answer in time") from error


class Caller(asyncio.Protocol):
    """One connection.

    Attributes:
        seconds: that each answer took.
        answer: the last one; its body only if it is to be kept.
    """

    def __init__(self, request: bytes, *, keep: bool) -> None:
        self.seconds: list[float] = []
        self.answer = Answer()
        self._request = request
        self._keep = keep
        self._end = self._asked = 0.0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask_until(self, end: float, patience: float = PATIENCE) -> None:
        """Asks again and again until then, at least once, and waits for the last answer no longer than that."""
        self._end = end
        self._ask()
        async with asyncio.timeout(max(0.0, end - time.perf_counter()) + patience):
            await self._over
        self._transport.close()

    def _ask(self) -> None:
        self.answer = Answer()
        self._parser = httptools.HttpResponseParser(self)
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio."""
        self._fail(f"the connection was closed{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(str(error))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of httptools."""
        if self._keep:
            self.answer.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        """Of httptools."""
        if self._keep:
            self.answer.body += body

    def on_message_complete(self) -> None:
        """Of httptools."""
        now = time.perf_counter()
        self.seconds.append(now - self._asked)
        status = self._parser.get_status_code()
        self.answer.status = status
        if status != 200 and not self._keep:
            self._fail(f"status {status} under load")
        elif now < self._end:
            self._ask()
        elif not self._over.done():
            self._over.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_exception(FailedError(reason))
