"""``lossmeter openapi``: the schema that the service would serve under these settings."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from lossmeter.api.app import create_app
from lossmeter.cli.environment import settings

if TYPE_CHECKING:
    from argparse import Namespace


def run(_: Namespace) -> int:
    """Write the schema to standard output, indented by two."""
    schema = create_app(settings()).openapi()
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0
