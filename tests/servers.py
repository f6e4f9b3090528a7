"""The real server on a real socket, for any test that wants one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
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
        host, _, port = self.url.partition("://")[2].rpartition(":")
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
    with tempfile.TemporaryDirectory() as folder:
        # A file and no pipe: a pipe that nobody reads fills up with the access log, and then the server stands.
        path = Path(folder, "log")
        with (
            path.open("wb") as log,
            subprocess.Popen(
                [sys.executable, *what], stdout=log, stderr=log, env=inherited | chosen
            ) as process,
        ):
            try:
                yield Server(_announced(path, process), process.pid, path)
            finally:
                process.terminate()
                process.wait(timeout=PATIENCE)


def _announced(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address in the line that a server prints when it listens."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r" on (https?://\S+:\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return found[1]
