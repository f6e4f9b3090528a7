"""uvicorn's server, which looks after its connections and leaves without hanging up on anyone."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from lossmeter.serving.protocol import Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from lossmeter.serving.config import Config

LOG: Final = logging.getLogger("lossmeter")

LOOK_SECONDS: Final = 0.5
"""How often connections are looked at."""

TURN_SECONDS: Final = 0.001
"""How long, before requests have a turn: a thousand that are refused at the same moment take a quarter of a second."""

LINGER_SECONDS: Final = 1.0
"""How long clients with an open connection have to ask once more and be told that it closes."""


class Server(uvicorn.Server):
    """One process's server."""

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._delay = config.settings.shutdown_delay

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and begins to look after connections."""
        await super().startup(sockets)
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Says that it is leaving while it still takes requests, then takes no more, answers those it has, and leaves.

        uvicorn closes its door at once: then a load balancer that has not noticed yet, or a client that reuses a
        connection, is refused.
        """
        if signal.SIGINT not in self._captured_signals:
            await self._say_goodbye()
        await self._take_the_last(sockets or [])
        await super().shutdown(sockets)
        self._looking.cancel()

    async def _say_goodbye(self) -> None:
        readiness = self.lifespan.state.get("readiness")
        if readiness is not None:
            readiness.state = "stopping"
        loop = asyncio.get_running_loop()
        soon = loop.time() + self._delay
        late = soon + LINGER_SECONDS
        while loop.time() < soon or (loop.time() < late and self.server_state.connections):
            for connection in self._protocols():
                connection.say_goodbye()
            await asyncio.sleep(0.05)

    async def _take_the_last(self, sockets: list[socket.socket]) -> None:
        """Takes who is connected and not accepted yet: with the listening socket, the system would reset them."""
        doors = [door.dup() for door in sockets]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for door in doors:
            door.setblocking(False)  # noqa: FBT003 - positional only
            with suppress(OSError), door:
                while True:
                    accepted, _ = door.accept()
                    await loop.connect_accepted_socket(self._protocol, accepted, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        return Protocol(self.config, self.server_state, self.lifespan.state)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = turn = loop.time()
            for connection in self._protocols():
                if loop.time() - turn > TURN_SECONDS:
                    await asyncio.sleep(0)
                    turn = loop.time()
                if connection in self.server_state.connections:
                    _check(connection, now - last)
            last = now

    def _protocols(self) -> Iterable[Protocol]:
        connections: list[Protocol] = list(self.server_state.connections)  # type: ignore[arg-type]  # ours alone
        return connections


def _check(connection: Protocol, seconds: float) -> None:
    """Looks at a connection. If that fails, it alone is closed, and the others still have their deadlines."""
    try:
        connection.check(seconds)
    except Exception:
        LOG.exception("unexpected error while looking at a connection, which is closed")
        connection.transport.abort()
