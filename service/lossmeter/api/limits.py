"""Admission: what this process takes on at a time; the rest is refused at once, and nothing is computed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from lossmeter.api import errors, negotiation
from lossmeter.api.access.callers import CALLER
from lossmeter.api.errors import RETRY_AFTER
from lossmeter.api.fields import field
from lossmeter.api.paths import STREAM_PATH, is_open, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lossmeter.settings import Settings

SHARE: Final = "lossmeter.share"
"""Where a request's scope has its ``Share``."""


LARGE_BYTES: Final = 64 * 1024
"""Smaller bodies are served on the way, whatever else is going on."""

_SPARE: Final = 16
"""They have this part of the bytes in flight to themselves, beside what large ones can hold by coming slowly."""


class Load:
    """What this process has taken on.

    Attributes:
        settings: how much it may be.
        callers: how many requests of each caller are in flight.
        held: how many bytes of each caller are.
    """

    def __init__(self, settings: Settings, told: Callable[[int], None]) -> None:
        self.settings = settings
        self.callers: Counter[object] = Counter()
        self.held: Counter[object] = Counter()
        self._in_flight = 0
        self._told = told

    def hold(self, caller: object, more: int) -> None:
        """So many more bytes of a caller are in flight, or fewer; it is told to whoever counts."""
        self._in_flight += more
        self.held[caller] += more
        if not self.held[caller]:
            del self.held[caller]
        self._told(self._in_flight)

    def check_caller(self, caller: object) -> None:
        """Refuses a caller's next request if too many are in flight.

        Raises:
            HTTPException: 429.
        """
        most = self.settings.max_requests_per_caller
        if self.callers[caller] >= most:
            detail = f"You have {most} requests in flight, and no more are taken at a time."
            raise HTTPException(429, detail, RETRY_AFTER)

    def check_room(self, caller: object, more: int, size: int) -> None:
        """Refuses bytes for which there is no room now, or which would be more than a caller's share.

        Args:
            caller: whose they are.
            more: how many.
            size: what the body comes to with them.

        Raises:
            HTTPException: 503, or 429.
        """
        most = self.settings.max_bytes_in_flight
        is_small = size <= LARGE_BYTES
        if self._in_flight + more > most + (most // _SPARE if is_small else 0):
            raise HTTPException(503, "Too many bytes are being scored just now.", RETRY_AFTER)
        if not is_small and self.held[caller] + more > self.settings.most_bytes_of_a_caller:
            detail = f"You have {self.held[caller]} bytes in flight, and there is no room for {more} more."
            raise HTTPException(429, detail, RETRY_AFTER)


class Limits:
    """Bounds the bytes of one body, the bytes of all bodies in flight, and the requests of one caller.

    Attributes:
        load: what is in flight.
    """

    def __init__(self, app: ASGIApp, load: Load) -> None:
        self.load = load
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on within the limits."""
        if scope["type"] != "http" or is_open(scope):
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)
        share = Share(self.load, caller, scope, receive, send)
        try:
            await self._pass_on(caller, share, scope)
        except HTTPException as refusal:
            share.is_refused = True
            await errors.of(refusal, scope)(scope, receive, share.send)

    async def _pass_on(self, caller: object, share: Share, scope: Scope) -> None:
        self.load.check_caller(caller)
        callers = self.load.callers
        callers[caller] += 1
        try:
            share.begin()
            await self._app({**scope, SHARE: share}, share.receive, share.send)
        finally:
            share.end()
            callers[caller] -= 1
            if not callers[caller]:
                del callers[caller]


def caller_of(scope: Scope) -> object:
    """Whose request it is: a key or token where they are asked, else an address."""
    return scope.get(CALLER) or (scope.get("client") or ("",))[0]


class Share:
    """One body's share of the bytes in flight: what it declares, and what comes beyond that.

    A stream is not held as a whole: its share is what is held of it at a time.

    Attributes:
        is_refused: it is not going to be read to its end; the answer closes the connection instead.
    """

    def __init__(self, load: Load, caller: object, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_refused = False
        self._is_stream = path_of(scope) == STREAM_PATH and negotiation.is_stream(scope)
        self._declared = declared_length(scope)
        self._reserved = self._received = 0
        self._load = load
        self._caller = caller
        self._settings = load.settings
        self._receive = receive
        self._send = send

    def begin(self) -> None:
        """Holds a share of what is declared; what comes beyond it is added.

        Raises:
            HTTPException: as ``reserve`` does.
        """
        self._count(self._declared)

    def end(self) -> None:
        """Holds nothing any more."""
        self._load.hold(self._caller, -self._reserved)
        self._reserved = 0

    async def receive(self) -> Message:
        """Receives what there is room for.

        Raises:
            HTTPException: as ``reserve`` does.
        """
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self._count(self._received)
        return message

    def reserve(self, size: int) -> None:
        """Grows the share to a size: what a body has decompressed to, or a batch of a stream.

        Raises:
            HTTPException: 413 if no body may be so large, 503 or 429 if there is no room for it now.
        """
        if size > self._settings.max_body_bytes:
            raise self._refusal(413, f"The body is larger than {self._settings.max_body_bytes} bytes.")
        more = size - self._reserved
        if more <= 0:
            return
        try:
            self._load.check_room(self._caller, more, size)
        except HTTPException:
            self.is_refused = True
            raise
        self._load.hold(self._caller, more)
        self._reserved += more

    def _count(self, size: int) -> None:
        """Bytes that have come, or will."""
        most = self._settings.max_stream_bytes
        if not self._is_stream:
            self.reserve(size)
        elif most is not None and size > most:
            raise self._refusal(413, f"The stream is longer than {most} bytes.")

    async def send(self, message: Message) -> None:
        """Sends; after a refusal, closes the connection instead of reading on, and says so.

        The server sees to it that a client that is still sending can read the answer (``serving.protocol``).
        """
        if self.is_refused and message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)

    def _refusal(self, status: int, detail: str, headers: dict[str, str] | None = None) -> HTTPException:
        self.is_refused = True
        return HTTPException(status, detail, headers)


def declared_length(scope: Scope) -> int:
    """What Content-Length says; servers have refused what is no number."""
    length = field(scope, b"content-length")
    return int(length) if length.isdecimal() else 0
