"""The metrics, one file each or one per family; the registry is read off this folder, as that of the losses is."""

from __future__ import annotations

import inspect
import math
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from lossmeter.engine.metrics.base import Answer, Metric, Undefined
from lossmeter.engine.options import check_word
from lossmeter.errors import InvalidInputError

if TYPE_CHECKING:
    from lossmeter.engine.arrays import Floats, Indices
    from lossmeter.engine.evidence import Evidence

__all__ = ["METRICS", "Answer", "Metric", "Undefined", "compute", "known"]


def _read_folder() -> Mapping[str, Metric]:
    """One of every concrete metric of this folder, by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    found = {member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)}
    metrics = [metric() for metric in found if issubclass(metric, Metric) and hasattr(metric, "name")]
    return MappingProxyType({metric.name: metric for metric in sorted(metrics, key=lambda each: each.name)})


METRICS: Mapping[str, Metric] = _read_folder()
"""The registry: name → metric. It cannot be changed."""

CONTRADICTORY = "the sums of the state contradict each other"
"""Of what is defined for every batch of rows: no rows have left such sums behind."""

MOST_PLACES = 256
"""With more classes without a value than this, a list is named as a whole: each of its NaN has the same reason."""


def compute(
    evidence: Evidence, names: Collection[str] = tuple(METRICS)
) -> tuple[dict[str, Answer], dict[str, str]]:
    """Some metrics of the evidence, and why those that are missing have no value.

    A metric that is undefined as a whole is only in the second part. An object keeps its shape: what is undefined in it
    is NaN, and named by a dotted path, e.g. ``roc_auc.per_class.3``, or ``roc_auc.per_class`` where there are very
    many. Nothing is NaN without a reason, or −0.

    Args:
        evidence: sums over the rows, and the rows themselves for metrics that need them.
        names: of the registry.
    """
    answers: dict[str, Answer] = {}
    undefined: dict[str, str] = {}
    for name in names:
        try:
            answers[name] = answer = _unsigned_zeros(METRICS[name].compute(evidence))
        except Undefined as why:
            undefined[name] = str(why)
        else:
            undefined |= _unnamed(METRICS[name], answer)
    return answers, undefined


def known(metrics: Collection[str] | None) -> tuple[str, ...]:
    """The metrics that are asked for.

    Raises:
        InvalidInputError: one that there is none of, or a single string.
    """
    if metrics is None:
        return tuple(METRICS)
    if isinstance(metrics, str):
        raise InvalidInputError.at("metrics", detail="a list of names is wanted", value=metrics)
    for place, name in enumerate(metrics):
        check_word("metrics", name, tuple(METRICS), place)
    return tuple(metrics)


def _unsigned_zeros(answer: Answer) -> Answer:
    """The same without −0; lists of classes stay whole numbers."""
    if isinstance(answer, Mapping):
        return {part: value if _whole(value) else value + 0.0 for part, value in answer.items()}
    return answer + 0.0


def _whole(value: float | Floats | Indices) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "i"


def _unnamed(metric: Metric, answer: Answer) -> Iterator[tuple[str, str]]:
    """A reason for every NaN of an object."""
    for part, value in answer.items() if isinstance(answer, Mapping) else ():
        for place in _undefined_places(value):
            yield f"{metric.name}.{part}{place}", metric.reasons.get(part, CONTRADICTORY)


def _undefined_places(value: float | Floats | Indices) -> Iterator[str]:
    """Where the NaN are: ``.3`` in a list, nothing further for a number, or for a list with very many."""
    if isinstance(value, np.ndarray):
        places = np.flatnonzero(np.isnan(value))
        yield from (f".{at}" for at in places.tolist()) if len(places) <= MOST_PLACES else ("",)
    elif math.isnan(value):
        yield ""
