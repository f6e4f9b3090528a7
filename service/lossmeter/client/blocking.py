"""The client for programs that wait."""

from __future__ import annotations

import time
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

import httpx2

from lossmeter.client import calls, monitoring, transport
from lossmeter.client import events as event_calls
from lossmeter.client.errors import DeadlineExceededError
from lossmeter.client.steps import Answer, Exchange, Pause, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from lossmeter.client.session import Session
    from lossmeter.client.steps import Step, Steps

P = ParamSpec("P")
T = TypeVar("T")


def method(call: Callable[Concatenate[Session, P], Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    """The call as a method that returns its result."""

    @wraps(call)
    def run(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(call(self.session, *args, **kwargs))

    return run


class Client(transport.Connection[httpx2.Client, httpx2.BaseTransport]):
    """Asks a server of lossmeter, and waits for the answer. Threads may share one.

    The deadline of a call is looked at between two reads: an answer that comes in drops may take up to ``timeout``
    seconds longer.

    Args:
        base_url: of the server, with the path under which a proxy publishes it, if any.
        api_key: the key that the server asks for.
        timeout: seconds that a connection may stand still before an attempt fails; None: for ever.
        deadline: seconds that a call may take in all, with its retries; None: for ever.
        retries: most attempts after the first, after a lost connection, 429, 502, 503 and 504.
        max_bytes: largest body to send; larger batches go in parts. What a server says it takes lowers it.
        binary: whether arrays travel as bytes where the server reads them; False: always as JSON.
        transport: how httpx2 reaches the server, such as ``httpx2.HTTPTransport(uds=...)``.
        http: a client of httpx2 to use, with its proxies, certificates and headers; it is not closed with this one.
    """

    score = method(calls.score)
    softmax = method(calls.softmax)
    divergence = method(calls.divergence)
    class_weights = method(calls.class_weights)
    losses = method(calls.losses)
    health = method(calls.health)
    score_file = method(calls.score_file)
    metrics = method(monitoring.metrics)
    calibrate = method(monitoring.calibrate)
    expect = method(monitoring.expect)
    merge = method(monitoring.merge)
    report = method(monitoring.report)
    compare = method(monitoring.compare)
    events = method(event_calls.events)
    feedback = method(event_calls.feedback)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._is_owner:
            self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Do what a call wants done; what it returns."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except Exception as error:  # noqa: BLE001 - the call decides what it means
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _do(self, step: Step) -> object:
        match step:
            case Exchange():
                return self._exchange(step)
            case Pause():
                time.sleep(step.seconds)
            case Work():
                return step.function()
        return None

    def _exchange(self, step: Exchange) -> Answer:
        ends = None if step.seconds is None else time.monotonic() + step.seconds
        with transport.translated(step):
            request = self._http.build_request(
                **transport.words(step), content=_Body(step) if step.body else None
            )
            response = self._http.send(request, stream=True)
            try:
                return transport.answer(response, _read(response, ends))
            finally:
                response.close()

    def _open(self, transport: httpx2.BaseTransport | None) -> httpx2.Client:
        return httpx2.Client(transport=transport)


class _Body:
    """A body that may be sent more than once, as some ways of authentication do."""

    def __init__(self, step: Exchange) -> None:
        self._step = step

    def __iter__(self) -> Iterator[bytes]:
        return self._step.chunks()


def _read(response: httpx2.Response, ends: float | None) -> bytearray:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if ends is not None and time.monotonic() > ends:
            raise DeadlineExceededError(transport.LATE)
    return body
