"""The client for programs that do other things meanwhile."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread
import httpx2

from lossmeter.client import calls, monitoring, transport
from lossmeter.client import events as event_calls
from lossmeter.client.steps import Answer, Exchange, Pause, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from types import TracebackType

    from lossmeter.client.session import Session
    from lossmeter.client.steps import Step, Steps

P = ParamSpec("P")
T = TypeVar("T")


def method(
    call: Callable[Concatenate[Session, P], Steps[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """The call as a method whose result is awaited."""

    @wraps(call)
    async def run(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(call(self.session, *args, **kwargs))

    return run


class AsyncClient(transport.Connection[httpx2.AsyncClient, httpx2.AsyncBaseTransport]):
    """Asks a server of lossmeter, and lets others run until it answers. Tasks may share one.

    The arguments are those of ``Client``, with an asynchronous transport or client of httpx2.
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._is_owner:
            await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Do what a call wants done; what it returns."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except Exception as error:  # noqa: BLE001 - the call decides what it means
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _do(self, step: Step) -> object:
        match step:
            case Exchange():
                return await self._exchange(step)
            case Pause():
                await anyio.sleep(step.seconds)
            case Work():
                return await anyio.to_thread.run_sync(step.function)
        return None

    async def _exchange(self, step: Exchange) -> Answer:
        with transport.translated(step), anyio.fail_after(step.seconds):
            request = self._http.build_request(
                **transport.words(step), content=_Body(step) if step.body else None
            )
            response = await self._http.send(request, stream=True)
            try:
                return transport.answer(response, await _read(response))
            finally:
                await response.aclose()

    def _open(self, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=transport)


class _Body:
    """A body that may be sent more than once, as some ways of authentication do."""

    def __init__(self, step: Exchange) -> None:
        self._step = step

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._step.chunks():
            yield chunk


async def _read(response: httpx2.Response) -> bytearray:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
    return body
