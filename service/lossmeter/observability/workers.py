"""Where worker processes count together: a folder that is empty when the service starts."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lossmeter.observability.meter import FOLDER
from lossmeter.observability.store import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def counting_together() -> Iterator[None]:
    """While this holds, processes that are started count in one folder: that of the environment, or one of our own."""
    named = os.environ.get(FOLDER)
    if named:
        folder = Path(named)
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob(f"*{SUFFIX}"):
            file.unlink()
        yield
        return
    with tempfile.TemporaryDirectory(prefix="lossmeter-metrics-") as own:
        os.environ[FOLDER] = own
        try:
            yield
        finally:
            del os.environ[FOLDER]
