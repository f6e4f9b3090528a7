"""What the application is composed of, as one value that requests find in ``app.state.service``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from lossmeter.api.events import Events
from lossmeter.api.limits import Load
from lossmeter.api.work import Cores
from lossmeter.engine.blocks import cores
from lossmeter.observability.meter import Meter
from lossmeter.settings import Settings


@dataclass(slots=True)
class Readiness:
    """Whether requests should be sent here: not before start-up is over, and not once shutdown began."""

    state: str = "starting"


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that requests share.

    Attributes:
        settings: what the operator set.
        meter: what counts.
        load: what is in flight.
        events: where events wait for the truth; None where none are taken.
        cores: as many large jobs run at a time as there are cores; more would only share caches and memory.
        readiness: what /health/ready tells.
    """

    settings: Settings
    cores: Cores
    meter: Meter
    load: Load
    events: Events | None
    readiness: Readiness = field(default_factory=Readiness)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The parts as the settings want them."""
        meter = Meter(settings)
        gate = Cores(cores(), settings.max_queue, settings.max_queue_seconds)
        events = None if settings.events_store is None else Events(settings, meter)
        return cls(settings, gate, meter, Load(settings, meter.holds), events)
