"""``lossmeter settings``: what is in force, for whoever wonders why."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pydantic import SecretStr

from lossmeter.cli import environment
from lossmeter.settings import PREFIX

if TYPE_CHECKING:
    from argparse import Namespace

HIDDEN = "(hidden)"


def run(_: Namespace) -> int:
    """Print every setting as the environment would have it; behind a # what nobody has set."""
    settings = environment.settings()
    for name in type(settings).model_fields:
        mark = "" if name in settings.model_fields_set else "# "
        sys.stdout.write(f"{mark}{PREFIX}{name.upper()}={_shown(getattr(settings, name))}\n")
    return 0


def _shown(value: object) -> str:
    """The value as one would set it; what is not set is empty, and a secret stays one."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case SecretStr():
            return HIDDEN
        case tuple():
            return ",".join(map(_shown, value))
        case dict():
            return json.dumps(value)
        case _:
            return str(value)
