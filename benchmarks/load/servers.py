"""Whom the load is put on: servers, the doors of each, and the environments in which they run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from load import client, forms
from load.client import FailedError
from load.forms import Batch, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

RIVALS: Final = Path(__file__).resolve().parents[1] / "rivals"
BUILD: Final = RIVALS.parents[1] / "build" / "rivals"
"""Where environments and logs are."""

PATIENCE: Final = 120.0
"""Seconds that a server may take to give its first answer."""

FIRST_ANSWER: Final = 5.0
"""Seconds after which a server that starts is asked anew: some lose what comes too early."""

SETTINGS: Final = {
    "BENTOML_DO_NOT_TRACK": "true",
    "LOSSMETER_LOG_LEVEL": "warning",
    "PYTHONUNBUFFERED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""No access log, which the others have none of either, and no word to anyone."""


@dataclass(frozen=True)
class Door:
    """One way in: what it is called in the table, where it is, and what travels through it."""

    title: str
    path: str
    form: Form


@dataclass(frozen=True)
class Server:
    """One process, or what its package calls one.

    Attributes:
        name: of its script, ``on_NAME.py`` or ``NAME.py``, and of its requirements; the package's own name.
        doors: the ways in.
        arguments: of Python, before the port.
    """

    name: str
    doors: tuple[Door, ...]
    arguments: tuple[str, ...] = ()


class Running(NamedTuple):
    """A server that answers.

    Attributes:
        address: host and port.
        pid: its process.
    """

    address: tuple[str, int]
    pid: int


def _script(name: str) -> tuple[str, ...]:
    return (str(RIVALS / name),)


LOSSMETER: Final = Server(
    "lossmeter",
    (
        Door("lossmeter, JSON", "/v1/score", forms.PARTS),
        Door("lossmeter, npz", "/v1/score", forms.BYTES),
        Door("lossmeter, npz of float32", "/v1/score", forms.FLOATS),
        Door("lossmeter, V2 tensors", "/v2/models/cross_entropy/infer", forms.TENSORS),
    ),
    ("-m", "lossmeter", "serve", "--workers", "1", "--port"),
)
BARE: Final = Server(
    "bare",
    (
        Door("bare ASGI app, as many bytes of JSON", "", forms.ECHO_JSON),
        Door("bare ASGI app, as many bytes of npz", "", forms.ECHO_BYTES),
    ),
    _script("bare.py"),
)
PLAIN: Final = (
    Server("plain", (Door("plain FastAPI", "/v1/score", forms.PLAIN),), _script("plain.py")),
    Server(
        "typed",
        (Door("plain FastAPI, typed answer", "/v1/score", forms.PLAIN),),
        (*_script("plain.py"), "typed"),
    ),
)
PEERS: Final = (
    Server("bentoml", (Door("BentoML", "/score", forms.PLAIN),), _script("on_bentoml.py")),
    Server(
        "kserve",
        (
            Door("KServe SDK, JSON", "/v1/models/score:predict", forms.PLAIN),
            Door("KServe SDK, V2 tensors", "/v2/models/score/infer", forms.TENSORS),
        ),
        _script("on_kserve.py"),
    ),
    Server("litserve", (Door("LitServe", "/score", forms.PLAIN),), _script("on_litserve.py")),
    Server("mlserver", (Door("MLServer", "/v2/models/score/infer", forms.V2),), _script("on_mlserver.py")),
    Server("ray", (Door("Ray Serve", "/", forms.PLAIN),), _script("on_ray.py")),
)


@contextmanager
def running(server: Server) -> Iterator[Running]:
    """The server on a free port of this machine, once it has answered; it is told to stop when the block ends.

    Raises:
        FailedError: it cannot be installed, or does not answer.
    """
    python = _environment(server.name)
    address = ("127.0.0.1", _free_port())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOSSMETER_")}
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{server.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, *server.arguments, str(address[1])],
            stdout=output,
            stderr=output,
            env=inherited | SETTINGS,
            cwd=RIVALS
            if server in PEERS
            else None,  # BentoML imports the script again, from where it was started
            start_new_session=True,
        )
    try:
        _wait(server.doors[0], address, process, log)
        yield Running(address, process.pid)
    finally:
        _stop(process)


def _environment(name: str) -> str:
    """The Python of an environment that has what a server requires; this one, if it requires nothing.

    Raises:
        FailedError: it cannot be installed.
    """
    wanted, folder = RIVALS / f"requirements-{name}.txt", BUILD / name
    if not wanted.exists():
        return sys.executable
    python, installed = str(folder / "bin" / "python"), folder / "installed.txt"
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        print(f"installing {name} into {folder.relative_to(BUILD.parents[1])}", file=sys.stderr)
        _call([sys.executable, "-m", "venv", "--clear", str(folder)])
        _install(python, wanted)
        installed.write_bytes(wanted.read_bytes())
    return python


def _install(python: str, wanted: Path) -> None:
    """By uv, which takes seconds where pip takes minutes; pip knows the indexes of pip.conf."""
    if find_spec("uv"):
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, "-r", str(wanted)]
        if not subprocess.run(uv, capture_output=True, check=False).returncode:
            return
    _call([python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r", str(wanted)])


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"cannot be installed: {_last_line(done.stderr)}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait(door: Door, address: tuple[str, int], process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the first door gives the right answer."""
    batch, end = Batch.of(1, 5), time.monotonic() + PATIENCE
    request = door.form.request(address, door.path, batch)
    reason = ""
    while time.monotonic() < end:
        try:
            door.form.check(client.ask(address, request, FIRST_ANSWER), batch)
        except (FailedError, ValueError) as error:
            reason = str(error)
        else:
            return
        if process.poll() is not None:
            raise FailedError(f"does not start: {_last_line(log.read_text(errors='replace'))}")
        time.sleep(0.25)
    raise FailedError(f"does not answer: {reason}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks it to stop, and then whatever it has started and left behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no word of why")[
        :200
    ]
