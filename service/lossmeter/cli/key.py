"""``lossmeter key new``: a key for a caller, and the line by which the service knows it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lossmeter import keys
from lossmeter.cli.failure import BAD_USAGE, Failure

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Write the key and its line to standard output, what to do with them to standard error."""
    secret = keys.new_secret()
    line = _line(secret, arguments)
    sys.stdout.write(f"{secret}\n{line}\n")
    sys.stdout.flush()
    sys.stderr.write(
        "The first line is the key: give it to its caller, it is kept nowhere and cannot be shown again.\n"
        "The second is what the service needs: a line of LOSSMETER_API_KEYS_FILE, or of LOSSMETER_API_KEYS.\n"
    )
    return 0


def _line(secret: str, arguments: Namespace) -> str:
    scopes = arguments.scopes.replace(",", " ")
    words = [arguments.name, f"sha256:{keys.digest(secret.encode()).hex()}", scopes, arguments.rate or ""]
    if any(character.isspace() for character in arguments.name):
        raise Failure("--name: no spaces", BAD_USAGE)
    try:
        return str(keys.Key.read(" ".join(words)))
    except ValueError as error:
        raise Failure(str(error), BAD_USAGE) from None
