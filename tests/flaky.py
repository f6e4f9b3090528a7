"""A real server on a real socket that fails as told: what the network and its proxies do to a client."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    Action = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Flaky:
    """A flaky server.

    Attributes:
        url: where it listens.
        heads: the heads of the requests that it has read.
        bodies: their bodies.
    """

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


def answer(status: int, body: bytes, media_type: str = "application/json", **headers: str) -> Action:
    """Answers this, as a whole."""
    lines = {"Content-Type": media_type, "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return act


def busy(status: int = 503, *, after: str | None = None) -> Action:
    """Refuses, as a server does that has too much to do."""
    headers = {} if after is None else {"Retry_After": after}
    body = b'{"title": "Busy", "status": %d, "detail": "come again"}' % status
    return answer(status, body, "application/problem+json", **headers)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Answers with RST."""
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    """Closes the connection without a word."""
    writer.close()


async def stall(writer: asyncio.StreamWriter) -> None:
    """Says nothing and keeps the connection until the other side gives up."""
    await writer.wait_closed()


async def cut(writer: asyncio.StreamWriter) -> None:
    """Half an answer."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"loss')
    await writer.drain()
    writer.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    """An answer that never stands still and never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


@contextmanager
def failing(actions: Sequence[Action]) -> Iterator[Flaky]:
    """A server that meets its requests with these actions, one each, the last of them again and again."""
    flaky = Flaky()
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lengths = [
                line.split(":")[1]
                for line in head.lower().split("\r\n")
                if line.startswith("content-length:")
            ]
            flaky.heads.append(head)
            flaky.bodies.append(await reader.readexactly(int(*lengths or ["0"])))
            await actions[min(len(flaky.heads), len(actions)) - 1](writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # the client has gone, or the test
        finally:
            tasks.discard(asyncio.current_task())
            writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        for task in filter(None, list(tasks)):
            task.cancel()
        await asyncio.sleep(0)

    server = loop.run_until_complete(start())
    flaky.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield flaky
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
