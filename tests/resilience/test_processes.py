"""Processes that are stopped, killed and replaced under load: who was accepted is answered, and the rest goes on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resilience.pools import BODY, Load, both, lost, replacement, started
from resilience.targets import Target, probe

if TYPE_CHECKING:
    from resilience.conftest import Tell

READY = "GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


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


def test_kill_of_what_starts_workers(tell: Tell) -> None:
    """The process that workers are forked from may be killed like any other: no request is lost, and workers come."""
    with started("--workers", "2") as (process, target):
        workers = both(target)
        with Load(target).on() as load:
            for pid in set(target.processes()) - {process.pid, *workers}:
                os.kill(pid, signal.SIGKILL)
            begun = time.monotonic()
            first = replacement(target, workers)
            replacement(target, [*workers, first])
            seconds = time.monotonic() - begun
        tell("kill -9 of what starts workers", {"lost": lost(load.seen), "seconds until whole": seconds})
        assert set(load.seen) == {"200"}, load.seen
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
