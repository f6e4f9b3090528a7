"""The real server on a real socket, for any test that wants one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0
"""Seconds that a server may take to start or to stop."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: where it listens, without a slash at the end.
        pid: its process.
        log: the file it logs to.
    """

    url: str
    pid: int
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for tests that speak HTTP themselves."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)


@contextmanager
def running(*, script: Path | None = None, **settings: object) -> Iterator[Server]:
    """A server of its own with these settings (``max_classes=3``), on a free port, until the block ends.

    Args:
        script: what to run in place of ``lossmeter serve``; it prints the same first line.
        **settings: named like the fields of ``Settings``.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOSSMETER_")}
    chosen = {f"LOSSMETER_{name.upper()}": str(value) for name, value in settings.items()}
    what = [str(script)] if script else ["-m", "lossmeter", "serve", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(folder, "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, *what], stdout=subprocess.PIPE, stderr=log, text=True, env=inherited | chosen
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            url = re.search(r"http://\S+:\d+", said)
            assert url, f"no address in {said!r}; {Path(log.name).read_text()}"
            yield Server(url[0], process.pid, Path(log.name))
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
