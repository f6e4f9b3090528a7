"""The parts of an answer under flat names, for formats that have no objects in one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW_PARTS: Final = (
    "losses",
    "gradients",
    "kl.target_entropy",
    "kl.cross_entropy",
    "kl.kl_divergence",
    "contributions",
    "probabilities",
)
"""The parts of an answer that have a row for each row, under flat names."""


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the members of an object of arrays under dotted names; what else there is stays."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and all(isinstance(member, np.ndarray) for member in value.values()):
            found |= {f"{name}.{inner}": member for inner, member in value.items()}
        else:
            found[name] = value
    return found
