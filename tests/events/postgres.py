"""A PostgreSQL of our own, in a folder, without a port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = count()
_USER = "postgres"


def _program(name: str) -> str | None:
    """Debian has them in a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def is_installed() -> bool:
    """Whether there is one to start."""
    return _program("initdb") is not None and _program("pg_ctl") is not None


@contextmanager
def cluster() -> Iterator[str]:
    """A server on a socket in a folder, until the block ends; its address, without a database."""
    # Not pytest's: paths of sockets are short, and other sessions of pytest close its folder to others.
    with tempfile.TemporaryDirectory() as folder:
        who: dict[str, Any] = {}
        if os.getuid() == 0:  # it refuses to be started by root
            who = {"user": _USER, "group": _USER, "extra_groups": []}
            shutil.chown(folder, _USER)
        with _server(Path(folder), who) as address:
            yield address


@contextmanager
def _server(folder: Path, who: dict[str, Any]) -> Iterator[str]:
    data, log = folder / "data", folder / "log"
    _run("initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync", who=who)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    _run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start", who=who)
    try:
        yield f"host={folder} user={_USER}"
    finally:
        _run("pg_ctl", "-D", data, "-m", "immediate", "stop", who=who)


def database(address: str) -> str:
    """The URL of a new database."""
    name = f"store{next(_NUMBERS)}"
    with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    folder = address.partition("host=")[2].partition(" ")[0]
    return f"postgresql://{_USER}@/{name}?host={folder}"


def _run(name: str, *arguments: object, who: dict[str, Any]) -> None:
    program = _program(name)
    assert program is not None
    # Its own output would keep the pipe of a captured one open as long as the server lives.
    subprocess.run(
        [program, *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        cwd="/",
        **who,
    )
