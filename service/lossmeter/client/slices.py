"""What a state says of slices, as /v1/score says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lossmeter.client.results import Answer
from lossmeter.engine.options import nats_per

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lossmeter.engine.options import Unit

_IN_NATS: Final = ("loss", "finite_loss", "standard_error", "log_loss", "interval")


def in_unit(
    slices: Mapping[str, Mapping[str, Mapping[str, Any]]], unit: Unit
) -> dict[str, dict[str, Answer]]:
    """The slices of a report, which are in nats, by dimension and value with their losses in this unit."""
    nats = nats_per(unit)
    return {
        dimension: {
            value: Answer({**told, **{name: told[name] / nats for name in _IN_NATS if name in told}})
            for value, told in values.items()
        }
        for dimension, values in slices.items()
    }
