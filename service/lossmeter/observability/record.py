"""What is known of a request while it is answered: written by those who do the work, read by metrics and logs."""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

from lossmeter.observability import traces

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")

PHASES: Final = ("read", "parse", "compute", "encode", "write")
"""What the time of a request goes to: its body arrives, becomes arrays, is scored, becomes bytes, leaves."""

UNKNOWN: Final = "other"
"""The route of what is no endpoint."""


class Record:
    """One request.

    Attributes:
        begun: when it began, by ``perf_counter``.
        method: as sent.
        route: the template of the endpoint, or ``UNKNOWN``.
        status: of the answer; 0 until it begins.
        request_id: by which callers and logs call it.
        trace_id: the trace that it is part of; empty if none is known.
        traceparent: names our place in it to others; empty as well then.
        is_traced: whether spans are recorded.
        received: bytes of its body.
        sent: bytes of the answer's.
        rows: that were scored or ignored.
        classes: columns of the last batch.
        loss: the name of the last loss.
        error: the type of what went wrong.
        seconds: by phase.
        spent: all of them together.
    """

    __slots__ = (
        "begun",
        "classes",
        "error",
        "is_traced",
        "loss",
        "method",
        "received",
        "request_id",
        "route",
        "rows",
        "seconds",
        "sent",
        "spent",
        "status",
        "trace_id",
        "traceparent",
    )

    def __init__(
        self, method: str = "", route: str = UNKNOWN, request_id: str = "", trace_id: str = ""
    ) -> None:
        self.begun = perf_counter()
        self.method = method
        self.route = route
        self.request_id = request_id
        self.trace_id = trace_id
        self.traceparent = ""
        self.is_traced = False
        self.status = self.received = self.sent = self.rows = self.classes = 0
        self.loss = self.error = ""
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.spent = 0.0

    def took(self, phase: str, seconds: float) -> None:
        """So much more time went to a phase."""
        self.seconds[phase] += seconds
        self.spent += seconds


CURRENT: ContextVar[Record | None] = ContextVar("lossmeter.record", default=None)
"""The request that this is done for, in threads as well."""


class Phase:
    """The time in this block belongs to a phase of the current request, less what belongs to phases inside it."""

    __slots__ = ("_before", "_begun", "_name", "_record", "_span")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._record = CURRENT.get()
        if self._record is not None:
            self._span = traces.span(self._name) if self._record.is_traced else None
            if self._span is not None:
                self._span.__enter__()
            self._before = self._record.spent
            self._begun = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        record = self._record
        if record is not None:
            inside = record.spent - self._before
            record.took(self._name, max(perf_counter() - self._begun - inside, 0.0))
            if self._span is not None:
                self._span.__exit__(kind, error, trace)


def in_phase(name: str, work: Callable[[], T]) -> Callable[[], T]:
    """The work, its time counted to a phase wherever it is done."""

    def timed() -> T:
        with Phase(name):
            return work()

    return timed
