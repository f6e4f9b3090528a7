"""Processes that are stopped, killed and replaced under load: who was accepted is answered, and the rest goes on."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commands import serving
from resilience.targets import Target, in_parallel, of_size, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resilience.conftest import Tell

BODY = of_size(150_000, include=[])
READY = "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


class Load:
    """Clients that keep their connections, as pools of real ones do, and count what happens to each request.

    A request that finds nobody listening, or whose kept connection was closed before a byte of an answer came, is
    sent once more on a new connection if ``retries`` says so: scoring is pure, and every client's pool does that.

    Attributes:
        seen: how often each thing happened: a status, ``refused`` to connect, or ``lost``.
    """

    def __init__(self, target: Target, clients: int = 4, retries: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self._target = target
        self._clients = clients
        self._retries = retries
        self._is_over = threading.Event()

    @contextmanager
    def on(self) -> Iterator[Load]:
        """Asks while the block runs."""
        thread = threading.Thread(target=lambda: in_parallel([self._run] * self._clients))
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._target.address, timeout=20)
        while not self._is_over.is_set():
            outcome = self._ask(connection)
            for _ in range(self._retries):
                if outcome in {"200", "422"}:
                    break
                time.sleep(0.1)
                outcome = self._ask(connection)
            self.seen[outcome] += 1
            if outcome == "refused":
                time.sleep(0.05)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        try:
            connection.request("POST", self._target.path, BODY, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except ConnectionRefusedError:
            connection.close()
            return "refused"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"lost: {type(error).__name__}"
        return str(response.status)


@contextmanager
def started(*flags: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], Target]]:
    """A server that is ready."""
    settings.setdefault("LOSSMETER_LOG_LEVEL", "critical")
    with serving(*flags, errors=subprocess.DEVNULL, LOSSMETER_DOCS="false", **settings) as (process, line):
        url = line.split(" on ")[1].split(",")[0].strip()
        target = Target(url, process.pid)
        assert probe(target) < 60
        yield process, target


def lost(seen: Counter[str]) -> int:
    """Requests that were accepted and not answered."""
    return sum(count for what, count in seen.items() if what.startswith("lost"))


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load(workers: int, tell: Tell) -> None:
    """Whoever is accepted is answered, no connection is reset, and the exit code is 0."""
    with started("--workers", str(workers)) as (process, target):
        with Load(target).on() as load:
            time.sleep(2)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=40)
            seconds = time.monotonic() - begun
        tell(
            f"SIGTERM under load, {workers} workers",
            {"answered": load.seen["200"], "lost": lost(load.seen), "seconds": seconds, "exit": code},
        )
    assert code == 0
    assert lost(load.seen) == 0, load.seen


def test_readiness_after_sigterm() -> None:
    """While requests are still taken, the service asks to be left alone, and tells connections that they close."""
    with started(LOSSMETER_SHUTDOWN_DELAY="3") as (process, target):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        with target.connect() as connection:
            connection.sendall(READY.encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")
        answer = target.ask(BODY)
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert process.wait(timeout=30) == 0


def test_sigterm_with_a_slow_client(tell: Tell) -> None:
    """A client that never finishes its request keeps nobody from leaving."""
    with started(LOSSMETER_BODY_TIMEOUT="3") as (process, target), target.connect() as connection:
        connection.sendall(target.head(1000) + b"{")
        time.sleep(0.3)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0
        tell("SIGTERM with a slow client", {"seconds": time.monotonic() - begun})
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_kill_of_a_worker(tell: Tell) -> None:
    """Only the requests of the worker that is killed are lost, and it is replaced."""
    with started("--workers", "2") as (process, target):
        workers = both(target)
        with Load(target).on() as load:
            time.sleep(1)
            os.kill(workers[0], signal.SIGKILL)
            begun = time.monotonic()
            new = replacement(target, workers)
            seconds = time.monotonic() - begun
            time.sleep(1)
        tell("kill -9 of one of 2 workers", {"lost": lost(load.seen), "seconds until whole": seconds})
        assert load.seen["200"] > 0
        assert lost(load.seen) <= 4
        assert load.seen["refused"] == 0
        assert workers[1] in target.processes()
        os.kill(new, signal.SIGKILL)
        assert replacement(target, [*workers, new])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 0


def test_workers_do_not_outlive_their_parent() -> None:
    """Who kills the parent does not leave orphans on the port."""
    with started("--workers", "2") as (process, target):
        workers = both(target)
        process.kill()
        process.wait()
        last = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < last:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def both(target: Target) -> list[int]:
    """The two processes that take connections, once they do."""
    first = replacement(target, [])
    return [first, replacement(target, [first])]


def replacement(target: Target, old: list[int]) -> int:
    """The process that takes the place of one that died, once it takes connections."""
    last = time.monotonic() + 30
    while time.monotonic() < last:
        for pid in target.processes():
            if pid not in old and is_worker(pid):
                return pid
        time.sleep(0.02)
    raise AssertionError("no worker took its place")


def is_worker(pid: int) -> bool:
    """Whether a process's event loop watches the listening socket, and so it takes connections."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if "eventpoll" in str(entry.readlink()):
                watched = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                numbers = [line.split()[1] for line in watched.splitlines() if line.startswith("tfd:")]
                links = {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in numbers}
                if links & listening():
                    return True
    return False


def listening() -> set[str]:
    """The sockets of this machine that listen, as /proc names them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[9]}]" for line in lines if line.split()[3] == "0A"}


NGINX = """
daemon off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_buffer_size 1m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 64m;
  upstream service {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} max_fails=0; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_connect_timeout 1s; proxy_next_upstream error timeout http_503 non_idempotent;
    }}
  }}
}}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.long
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_rolling_restart(tell: Tell) -> None:
    """Two replicas behind nginx are restarted one after the other, and no request is lost, without a retry."""
    ports = [free_port(), free_port(), free_port()]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).chmod(0o777)
        replicas = [ExitStack() for _ in range(2)]
        for replica, port in zip(replicas, ports, strict=False):
            stack.push(replica)
            replica.enter_context(started("--port", str(port)))
        configuration = Path(folder, "nginx.conf")
        text = NGINX.format(folder=folder, first=ports[0], second=ports[1], port=ports[2])
        configuration.write_text(text)
        nginx = subprocess.Popen(["nginx", "-c", str(configuration)])
        stack.callback(nginx.wait)
        stack.callback(nginx.terminate)
        target = Target(f"http://127.0.0.1:{ports[2]}", nginx.pid)
        while probe(target) > 30:
            time.sleep(0.1)
        with Load(target).on() as load:
            for replica, port in zip(replicas, ports, strict=False):
                time.sleep(2)
                assert load.seen["200"] > 0
                replica.close()
                replica.enter_context(started("--port", str(port)))
            time.sleep(2)
        tell(
            "rolling restart behind nginx",
            {"answered": load.seen["200"], "other": load.seen.total() - load.seen["200"]},
        )
    assert set(load.seen) == {"200"}, load.seen
