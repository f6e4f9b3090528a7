"""The transport as an answer sees it: a small answer leaves in one piece, and the connection closes in our way.

uvicorn writes the head and the body of an answer one after the other, and uvloop sends each at once: two calls of the
system, two packets, and a client that is woken twice, first for nothing. Here the head waits for what follows it in
the same turn of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_HEAD: Final = b"HTTP/1.1 "

_SMALL: Final = 1 << 16
"""Bytes up to which a copy costs less than a call of the system."""


class Exit:
    """What uvicorn asks of a transport once it answers.

    Args:
        transport: where it all goes.
        loop: whose turn is waited for.
        close: closes the connection.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, close: Callable[[], None]
    ) -> None:
        self.is_closing = transport.is_closing
        self._transport = transport
        self._loop = loop
        self._close = close
        self._head = b""

    def write(self, data: bytes | memoryview) -> None:
        """Sends, but for a head, which waits."""
        if isinstance(data, bytes) and data.startswith(_HEAD):
            self._flush()
            self._head = data
            self._loop.call_soon(self._flush)
        elif self._head and len(data) <= _SMALL:
            data, self._head = self._head + data, b""
            self._transport.write(data)
        else:
            self._flush()
            self._transport.write(data)

    def close(self) -> None:
        """Closes, after what waits."""
        self._flush()
        self._close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)
