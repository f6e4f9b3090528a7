"""A real Prometheus that scrapes a real server, and what it answers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
import yaml

from servers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPLOY: Final = Path(__file__).resolve().parents[1] / "deploy"
WEEK: Final = Path(__file__).parent / "data" / "week.json"

NEEDED = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed: Debian has it in the package prometheus",
)


class Prometheus:
    """A running one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """The instant vector that an expression comes to, now or at another time."""
        when = {} if at is None else {"time": repr(at)}
        answer = httpx2.post(f"{self.url}/api/v1/query", data={"query": expression, **when}).json()
        assert answer["status"] == "success", answer
        return [(found["metric"], float(found["value"][1])) for found in answer["data"]["result"]]

    def value(self, expression: str, at: float | None = None) -> float | None:
        """The one number that an expression comes to, or None."""
        found = self.query(expression, at)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """The series that an expression comes to over a time: labels, then times and values."""
        asked = {"query": expression, "start": repr(start), "end": repr(end), "step": repr(step)}
        answer = httpx2.post(f"{self.url}/api/v1/query_range", data=asked).json()
        assert answer["status"] == "success", answer
        return [
            (found["metric"], [(at, float(value)) for at, value in found["values"]])
            for found in answer["data"]["result"]
        ]

    def settled(self) -> float:
        """A time whose samples are all in: the two sides of a division may otherwise see different ones."""
        last = self.value("timestamp(lossmeter_workers)")
        until(lambda: self.value("timestamp(lossmeter_workers)") != last)
        assert last is not None
        return last


def until(check: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Waits until the check holds."""
    deadline = time.monotonic() + patience
    while not check():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.2)


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """What promtool says, which must be content."""
    done = subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def hurried(folder: Path) -> tuple[Path, ...]:
    """Our rules and alerts in quick motion: half an hour is six seconds, the week before what was eight seconds ago."""
    quick = {
        "[30m]": "[6s]",
        "[7d] offset 1h": "[1h] offset 8s",
        "interval: 5m": "interval: 1s",
        "> 500": "> 50",
        "for: 10m": "for: 1s",
        "[5m]": "[6s]",
    }
    made = []
    for name in ("rules.yml", "alerts.yml"):
        text = (DEPLOY / "prometheus" / name).read_text()
        for slow, fast in quick.items():
            text = text.replace(slow, fast)
        made.append(folder / name)
        made[-1].write_text(text)
    return tuple(made)


@contextmanager
def playing(url: str, day: float) -> Iterator[subprocess.Popen[str]]:
    """The sample sender, which sends the week to a service until the block ends; it prints each day as it begins."""
    command = [
        *(sys.executable, str(DEPLOY / "sample_sender.py"), "--url", url, "--data", str(WEEK)),
        *("--day", str(day), "--pause", "0.02"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        yield sender
        sender.terminate()


@contextmanager
def scraping(folder: Path, target: str, rules: tuple[Path, ...] = ()) -> Iterator[Prometheus]:
    """One that scrapes this address twice a second, until the block ends.

    Args:
        folder: for its configuration and its data.
        target: host and port.
        rules: files of them.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    configuration = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [{"job_name": "lossmeter", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            started = Prometheus(f"http://127.0.0.1:{port}")
            until(lambda: _is_ready(started))
            yield started
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def _is_ready(prometheus: Prometheus) -> bool:
    try:
        return httpx2.get(f"{prometheus.url}/-/ready").status_code == 200
    except httpx2.TransportError:
        return False
