"""``lossmeter healthcheck``: one request with the standard library, since it runs every few seconds."""

from __future__ import annotations

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lossmeter.cli.failure import BAD_USAGE, Failure

if TYPE_CHECKING:
    from argparse import Namespace

SECONDS: Final = 3
OK: Final = 200


def run(arguments: Namespace) -> int:
    """Write what the service says in one line; 0 if it is ready, 1 if not."""
    url = arguments.url or _own_url()
    connection, path = _connection(url)
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


def _own_url() -> str:
    # Settings would check these names better, and cost ten times what the check costs.
    scheme = "https" if os.environ.get("LOSSMETER_TLS_CERTIFICATE") else "http"
    return f"{scheme}://127.0.0.1:{os.environ.get('LOSSMETER_PORT', '8000')}"


def _connection(url: str) -> tuple[HTTPConnection, str]:
    """To whom, not opened yet, and the path to ask for."""
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise Failure(f"{url}: {error}", BAD_USAGE) from None
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise Failure(f"{url}: an address such as http://127.0.0.1:8000 is needed", BAD_USAGE)
    path = split.path.rstrip("/") or "/health/ready"
    if split.scheme == "http":
        return HTTPConnection(split.hostname, port or 80, timeout=SECONDS), path
    return HTTPSConnection(split.hostname, port or 443, timeout=SECONDS, context=_context()), path


def _context() -> ssl.SSLContext:
    """TLS without a look at who answers: the name is this machine's, no secret is sent, and a status comes back.

    Where callers need certificates, the service's own is shown, if it is at hand.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate := os.environ.get("LOSSMETER_TLS_CERTIFICATE"):
        context.load_cert_chain(certificate, os.environ.get("LOSSMETER_TLS_KEY"))
    return context
