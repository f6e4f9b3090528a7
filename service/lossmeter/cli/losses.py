"""``lossmeter losses``: the registry as a table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lossmeter.engine import LOSSES

if TYPE_CHECKING:
    from argparse import Namespace

    from lossmeter.engine import Loss

HEAD = ("loss", "parameters", "in one sentence")


def run(_: Namespace) -> int:
    """Write the table to standard output."""
    rows = [HEAD, *((name, _parameters(loss), loss.summary) for name, loss in LOSSES.items())]
    name_width, parameters_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, parameters, summary in rows:
        sys.stdout.write(f"{name:{name_width}}  {parameters:{parameters_width}}  {summary}".rstrip() + "\n")
    sys.stdout.flush()
    return 0


def _parameters(loss: type[Loss]) -> str:
    """Each parameter with its default: ``gamma=2, alpha=none``."""
    return ", ".join(
        f"{name}={'none' if parameter.default is None else format(parameter.default, 'g')}"
        for name, parameter in loss.parameters().items()
    )
