"""``lossmeter score``: the answer of POST /v1/score to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lossmeter.api.scoring import answer
from lossmeter.cli.environment import settings
from lossmeter.cli.failure import BAD_USAGE, Failure
from lossmeter.errors import ABSENT, InvalidInputError, LossmeterError
from lossmeter.wire.json import decode, encode

if TYPE_CHECKING:
    from argparse import Namespace

    from lossmeter.errors import Problem


def run(arguments: Namespace) -> int:
    """Score the file and write the answer to standard output."""
    chosen = settings()
    body = _read(arguments.file)
    try:
        text = encode(answer(decode(body, max_depth=chosen.max_depth), chosen))
    except InvalidInputError as error:
        raise Failure(_report(error)) from None
    except LossmeterError as error:
        raise Failure(str(error)) from None
    if arguments.indent is not None:
        text = json.dumps(json.loads(text), indent=arguments.indent, ensure_ascii=False).encode()
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {name!r}: {error.strerror}", BAD_USAGE) from None


def _report(error: InvalidInputError) -> str:
    """The number of problems, then one line for each that is named."""
    number = "1 problem" if error.count == 1 else f"{error.count} problems"
    shown = "" if error.count == len(error.problems) else f", the first {len(error.problems)} of them"
    return "\n".join([f"the request cannot be scored: {number}{shown}", *map(_line, error.problems)])


def _line(problem: Problem) -> str:
    value = "" if problem.value is ABSENT else f" (got {problem.value!r:.60})"
    return f"  {problem.pointer or '(the whole)'}: {problem.detail}{value}"
