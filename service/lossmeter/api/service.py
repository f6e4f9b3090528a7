"""What the application is composed of, as one value that requests find in ``app.state.service``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from anyio import CapacityLimiter

from lossmeter.settings import Settings


def usable_cores() -> int:
    """How many cores this process may run on, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(slots=True)
class Readiness:
    """Whether requests should be sent here: not before start-up is over, and not once shutdown began."""

    state: str = "starting"


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that requests share.

    Attributes:
        settings: what the operator set.
        cores: as many large jobs run at a time as there are cores; more would only share caches and memory.
        readiness: what /health/ready tells.
    """

    settings: Settings
    cores: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(usable_cores()))
    readiness: Readiness = field(default_factory=Readiness)
