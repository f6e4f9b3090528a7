"""What the tests of the pages need: the real server on a real socket, and a real browser."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from browser.chromium import EXECUTABLE, PATIENCE, Page, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = "lossmeter.api.app:create_app"


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own, as it is without any setting."""
    port = _free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "uvicorn", "--factory", APPLICATION, "--port", str(port)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _listens(port):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab of a headless Chromium."""
    if EXECUTABLE is None:
        pytest.skip("no Chromium on PATH, so nobody looks at the pages (Debian: apt-get install chromium)")
    with chromium() as tab:
        yield tab


def _free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
