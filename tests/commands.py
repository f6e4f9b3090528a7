"""The command, started as people start it: a process of its own, with no settings but those of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with no settings but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOSSMETER_")}
    return inherited | settings


def run(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """What ``lossmeter`` says to these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "lossmeter", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(**settings),
    )


@contextmanager
def serving(
    *arguments: str, errors: int = subprocess.DEVNULL, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running service on a free port, and the one line that it printed.

    Args:
        *arguments: of ``lossmeter serve``.
        errors: where its stderr goes, as ``subprocess`` has it; who takes a pipe reads it before the block ends.
        **settings: of the environment.
    """
    command = [sys.executable, "-m", "lossmeter", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=environment(**settings),
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.terminate()
            process.communicate(timeout=40)
