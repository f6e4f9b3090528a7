"""``lossmeter healthcheck``: one request with the standard library, since it runs every few seconds."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lossmeter.cli.failure import BAD_USAGE, Failure

if TYPE_CHECKING:
    from argparse import Namespace

SECONDS: Final = 3
OK: Final = 200


def run(arguments: Namespace) -> int:
    """Write what the service says in one line; 0 if it is ready, 1 if not."""
    # Settings would check this name better, and cost ten times what the check costs.
    url = arguments.url or f"http://127.0.0.1:{os.environ.get('LOSSMETER_PORT', '8000')}"
    host, port, path = _parts(url)
    connection = HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Failure(f"no answer from {url}: {error}") from None
    finally:
        connection.close()
    if status != OK:
        raise Failure(f"not ready: {url} answers {status}")
    sys.stdout.write("ready\n")
    return 0


def _parts(url: str) -> tuple[str, int, str]:
    try:
        split = urlsplit(url)
        port = split.port or 80
    except ValueError as error:
        raise Failure(f"{url}: {error}", BAD_USAGE) from None
    if split.scheme != "http" or not split.hostname:
        raise Failure(f"{url}: an address such as http://127.0.0.1:8000 is needed", BAD_USAGE)
    return split.hostname, port, split.path.rstrip("/") or "/health/ready"
