"""Every metric: its name, what it says, and in which row of which table it is counted.

A table is what shares its labels, and so a row of numbers in the ``store``. Names end in their unit; what only grows
ends in ``_total``. Labels are of few values: a route is its template, never a path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of buckets of durations: a small batch takes less than a millisecond."""

NATS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Upper ends of buckets of losses: ln 2 = 0.69 is a guess between two classes, ln 1000 = 6.9 one among a thousand."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter, a gauge, or a histogram.

    Attributes:
        name: as exported, without what the format adds (``_total``, ``_bucket``).
        kind: which of the three.
        help: one sentence.
        bounds: of a histogram, the upper ends of its buckets, in its unit; a last one, +Inf, is added.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers it is kept in: of a histogram its buckets, not cumulated, the +Inf one, and the sum."""
        return len(self.bounds) + 2 if self.kind == "histogram" else 1


@dataclass(frozen=True, slots=True)
class Table:
    """Metrics with the same labels.

    Attributes:
        name: what its rows are kept under.
        labels: their names; a table of quality has those of the settings before these.
        metrics: in their order in a row.
        places: where each begins in a row, by its name.
        width: numbers in a row.
    """

    name: str
    labels: tuple[str, ...]
    metrics: tuple[Metric, ...]
    places: dict[str, int] = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        """Lays the metrics out."""
        places, end = {}, 0
        for metric in self.metrics:
            places[metric.name] = end
            end += metric.width
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "width", end)

    def read(self, row: list[float]) -> Iterator[tuple[Metric, list[float]]]:
        """Each metric with its numbers of a row."""
        for metric in self.metrics:
            start = self.places[metric.name]
            yield metric, row[start : start + metric.width]


def _counter(name: str, text: str) -> Metric:
    return Metric(name, "counter", text)


def _gauge(name: str, text: str) -> Metric:
    return Metric(name, "gauge", text)


REQUESTS: Final = Table(
    "requests",
    ("route", "method", "status"),
    (
        Metric(
            "lossmeter_http_request_duration_seconds",
            "histogram",
            "From the first byte of a request's head to the last of its answer.",
            SECONDS,
        ),
        _counter("lossmeter_http_request_body_bytes", "Bytes of request bodies, as they travelled."),
        _counter("lossmeter_http_response_body_bytes", "Bytes of answers, as they travelled."),
    ),
)

REFUSALS: Final = Table(
    "refusals",
    ("route", "reason"),
    (_counter("lossmeter_refusals", "Requests that were refused, by reason."),),
)

LOAD: Final = Table(
    "load",
    (),
    (
        _gauge("lossmeter_requests_in_flight", "Requests that are being answered."),
        _gauge("lossmeter_bytes_in_flight", "Bytes of request bodies that are held, decompressed."),
        _gauge("lossmeter_bytes_in_flight_limit", "How many may be held: more are answered with 503."),
        _gauge("lossmeter_workers", "Processes that answer."),
    ),
)

KERNEL: Final = Table(
    "kernel",
    ("loss",),
    (
        _counter("lossmeter_kernel_seconds", "Time that the engine took, without reading and writing."),
        _counter("lossmeter_kernel_rows", "Rows that the engine was given."),
        _counter("lossmeter_kernel_numbers", "Predicted numbers that it was given: rows times classes."),
    ),
)

QUALITY: Final = Table(
    "quality",
    ("loss",),
    (
        _counter("lossmeter_rows_scored", "Rows that were scored."),
        _counter("lossmeter_rows_ignored", "Rows that ignore_index took out."),
        _counter("lossmeter_loss_nats", "Sum of the weighted losses of rows, where they are finite."),
        _counter("lossmeter_loss_weight", "Weight of those rows: loss per weight is the mean loss."),
        _counter("lossmeter_losses_not_finite", "Rows whose loss is infinite: a certain miss."),
        Metric(
            "lossmeter_row_loss_nats",
            "histogram",
            "Weighted losses of rows; the sum is of finite ones.",
            NATS,
        ),
        _counter("lossmeter_kl_nats", "Sum of KL(truth‖prediction), where it is finite, of answers with kl."),
        _counter("lossmeter_kl_rows", "Rows that it is summed over."),
        _counter(
            "lossmeter_gradient_norm", "Sum of the norms of rows' own gradients, of answers with gradients."
        ),
        _counter("lossmeter_gradient_rows", "Rows that it is summed over."),
        _counter(
            "lossmeter_entropy_nats", "Sum of the entropies of the predictions of requests with labels."
        ),
        _counter("lossmeter_confidence", "Sum of their largest probabilities."),
        _counter("lossmeter_confidence_rows", "Rows that both are summed over."),
        _counter("lossmeter_correct_rows", "Rows among those below whose prediction is the truth."),
        _counter("lossmeter_classified_rows", "Rows of requests with labels whose truth is one class."),
    ),
)

EVENTS: Final = Table(
    "events",
    ("outcome",),
    (_counter("lossmeter_events", "Events and truths that came in, by what became of them."),),
)

EVENT_STORE: Final = Table(
    "event store",
    (),
    (
        _gauge("lossmeter_events_counted_timestamp_seconds", "When the store of events was last looked at."),
        _gauge("lossmeter_events_rows", "Exchanges and truths that it holds."),
        _gauge("lossmeter_events_rows_limit", "How many it may."),
        _gauge("lossmeter_events_bytes", "Bytes of their arrays."),
        _gauge(
            "lossmeter_events_bytes_limit", "How many there may be: beyond, new halves are answered with 503."
        ),
        _gauge("lossmeter_events_requests_waiting", "Requests that no answer has come for."),
        _gauge("lossmeter_events_predictions_waiting", "Predictions that no truth has come for."),
        _gauge("lossmeter_events_truths_waiting", "Truths that no prediction has come for."),
    ),
)
"""Processes and replicas may share a store: what was counted last holds, not the sum."""

BUILD: Final = Table(
    "build", ("version", "python"), (_gauge("lossmeter_build_info", "1, with what is running as labels."),)
)

TABLES: Final = (REQUESTS, REFUSALS, LOAD, KERNEL, QUALITY, EVENTS, EVENT_STORE, BUILD)
