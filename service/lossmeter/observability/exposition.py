"""What was counted as Prometheus and OpenMetrics text."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from lossmeter.observability.catalogue import BUILD, EVENT_STORE, LOAD, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lossmeter.observability.catalogue import Metric, Table
    from lossmeter.observability.store import Key, Snapshot, Store

_FAMILIES: Final = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def exposed(store: Store, own_labels: Sequence[str], accept: str) -> tuple[bytes, str]:
    """The text in the format that the caller likes best, and its media type.

    Args:
        store: what was counted.
        own_labels: those of the settings, which the quality of predictions is told by.
        accept: the Accept header.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(store.snapshots(), own_labels))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collector(Collector):
    """The families of every table, summed over processes, and what the system knows of each process."""

    def __init__(self, snapshots: list[Snapshot], own_labels: Sequence[str]) -> None:
        self._snapshots = snapshots
        self._own_labels = own_labels

    def collect(self) -> Iterator[Family]:
        """The families, in the order of the catalogue."""
        summed = _summed(self._snapshots)
        for table in TABLES:
            rows = {key[1:]: row for key, row in summed.items() if key[0] == table.name}
            labels = (*self._own_labels, *table.labels) if table.name == "quality" else table.labels
            yield from _of_table(table, labels, rows)
        yield from _of_processes(self._snapshots)


def _summed(snapshots: Iterable[Snapshot]) -> dict[Key, list[float]]:
    found: dict[Key, list[float]] = {}
    for snapshot in snapshots:
        for key, row in snapshot.rows.items():
            if snapshot.process is None and key[0] == LOAD.name:
                continue
            so_far = found.get(key)
            if so_far is None or key[0] == BUILD.name:
                found[key] = row
            elif key[0] == EVENT_STORE.name:
                found[key] = max(so_far, row)  # it begins with the time
            else:
                found[key] = [a + b for a, b in zip(so_far, row, strict=True)]
    return found


def _of_table(table: Table, labels: Sequence[str], rows: dict[Key, list[float]]) -> Iterator[Family]:
    families = {
        metric.name: _FAMILIES[metric.kind](metric.name, metric.help, labels=labels)
        for metric in table.metrics
    }
    for values, row in sorted(rows.items()):
        for metric, numbers in table.read(row):
            _add(families[metric.name], metric, values, numbers)
    yield from families.values()


def _add(family: Family, metric: Metric, labels: Sequence[str], numbers: list[float]) -> None:
    if isinstance(family, HistogramMetricFamily):
        *counts, total = numbers
        ends = [str(bound) for bound in metric.bounds] + ["+Inf"]
        family.add_metric(labels, list(zip(ends, accumulate(counts), strict=True)), total)
    elif isinstance(family, (CounterMetricFamily, GaugeMetricFamily)):
        family.add_metric(labels, numbers[0])


def _of_processes(snapshots: Iterable[Snapshot]) -> Iterator[Family]:
    """CPU, memory and open files of every living worker, told apart by the number of its file."""
    families: dict[str, Family] = {}
    for snapshot in snapshots:
        if snapshot.process is None or not Path("/proc").is_dir():
            continue
        for family in ProcessCollector(pid=partial(int, snapshot.process), registry=None).collect():
            merged = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                merged.add_sample(sample.name, {"worker": str(snapshot.slot)}, sample.value)
    yield from families.values()
