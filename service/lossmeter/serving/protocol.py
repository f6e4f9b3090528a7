"""uvicorn's protocol on httptools, for strangers: with deadlines, with bounds of what is no body, with our errors.

uvicorn waits for ever for the rest of a head or a body and for readers of an answer, keeps a head of any size, and
answers what is not HTTP in plain text. Here a connection is looked at once in a while (``check``):

- a head must be there ``header_timeout`` seconds after the connection or its first byte;
- a body must keep up ``min_body_rate`` bytes a second, but for ``body_timeout`` seconds of silence. While the
  application does not receive, because it has no room, nothing is asked of the sender;
- so must the reader of an answer, but for ``write_timeout`` seconds.

Whoever is too slow with a request is answered with 408, if nothing is answered yet; a reader is cut off. What surrounds
a body, the lines of its chunks and the trailers, may be as long as a head, and beyond it in proportion to the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from lossmeter.serving.exit import Exit
from lossmeter.serving.pace import Pace

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from uvicorn.server import ServerState

    from lossmeter.api.turnstile import Refusal, Turnstile
    from lossmeter.serving.config import Config

MOST_HEADERS: Final = 128
MOST_HEAD_BYTES: Final = 64 * 1024

LINGER_SECONDS: Final = 2.0
"""How long what still comes is dropped after an answer that does not wait for it."""

LAST_SECONDS: Final = 0.5
"""How long a head may still take when the service stops."""

_FRAMING: Final = 8
"""How many bytes of framing a byte of a body may have, for a chunk of one byte has five."""

_DETAILS: Final = {
    400: "This is not HTTP/1.1 as RFC 9112 defines it.",
    501: "This is no proxy, and the only transfer coding that it takes is chunked.",
    505: "HTTP/1.1 is spoken here, and HTTP/1.0.",
    408: "The request came too slowly; send all of it without pauses.",
    431: f"A head has at most {MOST_HEADERS} fields and {MOST_HEAD_BYTES} bytes.",
    503: "There is too little memory for this just now.",
}

_RETRY_AFTER: Final = (b"retry-after", b"1")


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        settings = config.settings
        self._header_timeout = settings.header_timeout
        self._is_in_body = self._is_refused = False
        self._is_leaving = is_stopping(app_state)
        self._turnstile: Turnstile = app_state["turnstile"]
        self._head_since: float | None = self.loop.time()
        self._head_bytes = self._body_bytes = self._around_body = 0
        self._received = self._unsent = 0
        self._sending = Pace(settings.body_timeout, settings.min_body_rate)
        self._reading = Pace(settings.write_timeout, settings.min_body_rate)

    def data_received(self, data: bytes) -> None:
        """Parses what has come, unless it is already refused."""
        if self._is_refused:
            return
        if self._head_since is None and not self._is_in_body:
            self._head_since = self.loop.time()
        self._received += len(data)
        self._around_body += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._head_since is not None:
            self._head_bytes += len(data)
        self._check_size()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # RFC 9110, 7.8: "A server MAY ignore a received Upgrade header field". The parser takes what follows for
            # another protocol; so the head is read again without the wish, by a parser that has not heard it.
            if self._is_refused:
                return
            offset: int = upgrade.args[0]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            self._feed(self._head_without_upgrade() + data[offset:])
        except httptools.HttpParserError as error:
            # What is raised while a part is taken in, the parser tells in these words too.
            self._refuse(503 if isinstance(error.__context__, MemoryError) else 400)

    def _head_without_upgrade(self) -> bytes:
        start = b"%b %b HTTP/1.1\r\n" % (self.scope["method"].encode(), self.url)
        kept = [(name, value) for name, value in self.headers if name not in {b"upgrade", b"http2-settings"}]
        return start + b"".join(b"%b: %b\r\n" % field for field in kept) + b"\r\n"

    def _check_size(self) -> None:
        if self._head_bytes > MOST_HEAD_BYTES or len(self.headers or ()) > MOST_HEADERS:
            self._refuse(431)
        elif self._is_in_body and self._around_body > MOST_HEAD_BYTES + _FRAMING * self._body_bytes:
            self._refuse(400)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts what comes in one piece with the rest of the head, too; trailers are not let in."""
        self._head_bytes += len(name) + len(value)
        if self._is_in_body:
            return
        if self._head_bytes > MOST_HEAD_BYTES or len(self.headers) >= MOST_HEADERS:
            self._refuse(431)
            raise ValueError("the head is too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is there; what follows is its body."""
        if self.parser.should_upgrade():
            self.scope["method"] = self.parser.get_method().decode("ascii")
            if self.scope["method"] == "CONNECT":
                self._refuse(501)
            return
        status = self._unsupported()
        if status:
            self._refuse(status)
            raise ValueError("the head is not supported")
        if self._is_turned_away():
            raise ValueError("there is no room for it")
        self._head_since = None
        self._head_bytes = self._body_bytes = self._around_body = 0
        self._is_in_body = True
        self._sending.renew()
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", Exit(self.transport, self.loop, self.close))
        if self._is_leaving:
            self.cycle.keep_alive = False

    def _is_turned_away(self) -> bool:
        """Whether the application has no room for this request, and has told the client so."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        answer = self._turnstile.ask(self._told())
        if answer is None:
            return False
        self._is_refused = True
        self._answer(answer)
        return True

    def _told(self) -> dict[str, Any]:
        """The scope of the request whose head is coming, as far as it has told."""
        if self.scope is None or (self.cycle is not None and self.cycle.scope is self.scope):
            return {}
        if not self.headers:
            return {**self.scope}
        path = self.url.partition(b"?")[0].decode("latin-1")
        return {**self.scope, "method": self.parser.get_method().decode("ascii"), "path": path}

    def _answer(self, answer: Refusal) -> None:
        """Sends an answer of our own, the last on this connection."""
        status, headers, body = answer
        fields = [*headers, (b"connection", b"close"), *self.server_state.default_headers]
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self._linger()

    def _unsupported(self) -> int:
        """What a head that is well formed is refused with; 0 if it is not."""
        if self.parser.get_http_version() not in {"1.0", "1.1"}:
            return 505
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        return 501 if codings not in ([], [b"chunked"]) else 0

    def on_body(self, body: bytes) -> None:
        """A part of the body is there."""
        self._body_bytes += len(body)
        self._around_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there; the next head may follow."""
        if self.parser.should_upgrade():
            return
        self._is_in_body = False
        self._head_bytes = 0
        super().on_message_complete()
        # uvicorn reads on once a large body is taken from it, and does not hear of a client that goes after its end.
        if not self.pipeline:
            self.flow.resume_reading()

    def say_goodbye(self) -> None:
        """The next answer tells the client that the connection closes."""
        self._is_leaving = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Closes when what has begun is answered; a head may be on its way, and is waited for a little."""
        if self._head_since is None:
            super().shutdown()
        else:
            self._is_leaving = True
            self.loop.call_later(LAST_SECONDS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self._head_since is not None:
            self.transport.close()

    def check(self, seconds: float) -> None:
        """Ends the connection if it is too slow; ``seconds`` have passed since the last look."""
        received, self._received = self._received, 0
        unsent = self.transport.get_write_buffer_size()
        sent, self._unsent = max(self._unsent - unsent, 0), unsent
        if unsent and self._reading.pass_time(seconds, sent):
            self.transport.abort()
        if not unsent:
            self._reading.renew()
        if self._is_refused or self.flow.read_paused or self.transport.is_closing():
            return
        if self._head_since is not None:
            if self.loop.time() - self._head_since > self._header_timeout:
                self._refuse(408)
        elif self._is_in_body and self._sending.pass_time(seconds, received):
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answers, unless an answer has begun, and closes the connection; the request before this one is answered."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        cycle = self.cycle
        is_open = cycle is not None and not cycle.response_complete
        if is_open and not self._is_in_body:
            cycle.keep_alive = False
            return
        if self._is_in_body and not is_open:
            self._linger()  # it has had its answer, before its body was here
            return
        scope = cast("dict[str, Any]", cycle.scope) if is_open else self._told()
        answer = self._turnstile.refuse(status, _DETAILS[status], scope, self._seconds())
        if status == 503:  # noqa: PLR2004 - HTTP's own
            answer[1].append(_RETRY_AFTER)
        if is_open:
            # The application need not wait for what will not come, and has nothing to say any more.
            cycle.disconnected = True
            cycle.message_event.set()
        if is_open and cycle.response_started:
            self.transport.close()
        else:
            self._answer(answer)

    def _seconds(self) -> float:
        """Since the head began, if it is not there."""
        return 0.0 if self._head_since is None else self.loop.time() - self._head_since

    def close(self) -> None:
        """Closes once the answer is out, but not under a client that still sends.

        That would reset the connection, and the answer would be lost. What still comes is dropped unread.
        """
        if not self._is_in_body or self.transport.is_closing():
            self.transport.close()
        else:
            self._is_refused = True
            self._linger()

    def _linger(self) -> None:
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def is_stopping(app_state: Mapping[str, Any]) -> bool:
    """Whether the application, as far as it tells, is on its way out."""
    readiness = app_state.get("readiness")
    return readiness is not None and readiness.state == "stopping"
