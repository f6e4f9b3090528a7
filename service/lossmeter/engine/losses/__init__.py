"""The losses, one file each; the registry is read off this folder, so a new loss is a new file."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from lossmeter.engine.losses.base import BinaryLoss, DivergenceLoss, Loss, TargetLoss
from lossmeter.errors import InvalidInputError

__all__ = ["LOSSES", "BinaryLoss", "DivergenceLoss", "Loss", "TargetLoss", "make_loss"]


def _read_folder() -> Mapping[str, type[Loss]]:
    """Every concrete loss of this folder by name: those of classes first, then the binary ones."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    found = {member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)}
    losses = [loss for loss in found if issubclass(loss, Loss) and hasattr(loss, "name")]
    return MappingProxyType(
        {loss.name: loss for loss in sorted(losses, key=lambda loss: (loss.binary, loss.name))}
    )


LOSSES: Mapping[str, type[Loss]] = _read_folder()
"""The registry: name → class. It cannot be changed."""


def make_loss(wanted: str | Mapping[str, object] | Loss) -> Loss:
    """The loss that a request names.

    Args:
        wanted: a name, a mapping with ``name`` and parameters, or a loss.

    Raises:
        InvalidInputError: no such loss, no such parameter, or a parameter out of range.
    """
    if isinstance(wanted, Loss):
        return wanted
    if isinstance(wanted, str):
        return _plain(wanted)
    if not isinstance(wanted, Mapping):
        raise InvalidInputError.at(
            "loss", detail="a name, a mapping with name and parameters, or a Loss is wanted"
        )
    said = dict(wanted)
    loss = _named(said.pop("name", None), "loss", "name")
    for key in said:
        if key not in loss.parameters():
            known = ", ".join(loss.parameters()) or "none"
            raise InvalidInputError.at(
                "loss", key, detail=f"{loss.name} has no such parameter; it has: {known}"
            )
    return loss(**said)


@cache
def _plain(name: str) -> Loss:
    """The loss with its defaults; losses are immutable, so one of each will do."""
    return _named(name, "loss")()


def _named(name: object, *path: str) -> type[Loss]:
    loss = LOSSES.get(name) if isinstance(name, str) else None
    if loss is None:
        raise InvalidInputError.at(*path, detail=f"one of {', '.join(LOSSES)} is wanted", value=name)
    return loss
