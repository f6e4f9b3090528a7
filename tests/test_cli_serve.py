"""``lossmeter serve`` and ``healthcheck``: a service starts, tells where, answers, and leaves in order."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import lossmeter
from commands import run, serving

if TYPE_CHECKING:
    from pathlib import Path


def address(line: str) -> str:
    """The base URL in the line that ``serve`` prints."""
    found = re.match(r"lossmeter \S+ on (http://\S+:\d+)", line)
    assert found, line
    return found[1]


def get(url: str) -> http.client.HTTPResponse:
    """The answer to GET, its body read."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_serve_says_where_it_listens_and_leaves_in_order() -> None:
    """One line on stdout; then it answers; SIGTERM ends it with 0."""
    with serving() as (process, line):
        base = address(line)
        assert line == f"lossmeter {lossmeter.__version__} on {base}, docs on {base}/docs\n"
        ready = get(f"{base}/health/ready")
        assert ready.status == 200
        assert ready.getheader("server") is None
        assert run("healthcheck", "--url", base).stdout == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_ctrl_c_is_no_traceback() -> None:
    """It ends like any interrupted command."""
    with serving() as (process, line):
        assert get(f"{address(line)}/health/live").status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_application_that_cannot_start_fails_the_command(workers: str, tmp_path: Path) -> None:
    """A service that never answers does not look like one that was stopped."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['lossmeter.api.app'] = None\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = run("serve", "--port", "0", "--workers", workers, PYTHONPATH=path)
    assert done.returncode == 3


def test_serve_takes_settings_from_the_environment() -> None:
    """Where there are no docs, the line names none."""
    with serving("--host", "localhost", LOSSMETER_DOCS="false", LOSSMETER_HOST="192.0.2.1") as (_, line):
        base = address(line)
        assert "docs" not in line
        assert get(f"{base}/docs").status == 404
        assert get(f"{base}/health/live").status == 200


def test_serve_with_workers_hands_the_settings_on() -> None:
    """Worker processes are built from the same settings, and all of them end."""
    with serving("--workers", "2", LOSSMETER_DOCS="false") as (process, line):
        base = address(line)
        assert get(f"{base}/health/ready").status == 200
        assert get(f"{base}/docs").status == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0


def test_a_port_in_use_is_told_in_one_line() -> None:
    """No traceback, exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"lossmeter serve: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_healthcheck_of_nothing() -> None:
    """Nobody listens: 1, and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("healthcheck", LOSSMETER_PORT=str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"lossmeter healthcheck: no answer from http://127.0.0.1:{port}: ")


class Unready(BaseHTTPRequestHandler):
    """A service that lives and is not ready."""

    def do_GET(self) -> None:
        """Answer 503 to the readiness probe only."""
        self.send_response(503 if self.path == "/health/ready" else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def test_healthcheck_of_a_service_that_is_not_ready() -> None:
    """503 is 1; a path of one's own is asked instead."""
    with HTTPServer(("127.0.0.1", 0), Unready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = run("healthcheck", "--url", url)
        assert (done.returncode, done.stderr) == (1, f"lossmeter healthcheck: not ready: {url} answers 503\n")
        assert run("healthcheck", "--url", f"{url}/health/live").returncode == 0
        server.shutdown()
