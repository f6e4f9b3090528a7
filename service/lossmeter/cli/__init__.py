"""The command ``lossmeter``.

``parser.py`` says what can be typed; each command is a module of this package, named like the command, with
one function ``run(arguments) -> exit status``. It is imported only when it is asked for: help answers without
FastAPI and NumPy, and a container's health check costs no more than the interpreter.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING

from lossmeter.cli.failure import Failure
from lossmeter.cli.parser import build_parser

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

INTERRUPTED = 130
"""What shells report for a command that ended by Ctrl+C: 128 + SIGINT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused or failed, 2 bad usage."""
    arguments = build_parser().parse_args(argv)
    try:
        run: Callable[[Namespace], int] = importlib.import_module(f"{__name__}.{arguments.command}").run
        return run(arguments)
    except Failure as failure:
        sys.stderr.write(f"lossmeter {arguments.command}: {failure}\n")
        return failure.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # The reader of our output left, as `head` does, or the disk that it goes to is full.
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        # What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            sys.stderr.write(f"lossmeter {arguments.command}: cannot write: {error.strerror}\n")
        return 1
