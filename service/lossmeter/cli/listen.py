"""The sockets of the service: bound before anything is said, and never by accident for strangers."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import sys
from typing import TYPE_CHECKING

from lossmeter.cli.failure import BAD_USAGE, Failure
from lossmeter.settings import PREFIX

if TYPE_CHECKING:
    from lossmeter.settings import Settings


def listeners(settings: Settings) -> list[socket.socket]:
    """The first port's and, where there is one, the second's."""
    _check_certificates(settings)
    places = [(settings.host, settings.port)]
    if settings.management_port is not None:
        places.append((settings.management_host or settings.host, settings.management_port))
    return [_listen(host, port, settings) for host, port in places]


def url(listener: socket.socket, settings: Settings) -> str:
    """Where it listens."""
    scheme = "https" if settings.tls_certificate else "http"
    host, port, *_ = listener.getsockname()
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _listen(host: str, port: int, settings: Settings) -> socket.socket:
    """Bind and listen at once: who connects while the application starts waits instead of being refused."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if settings.is_anonymous and not _is_this_machine(str(address[0])):
            _check_anonymous(host, settings)
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        # Python adds the address to the system's words; ours are in the message already.
        reason = str(error.strerror).partition(" (while")[0]
        raise Failure(f"cannot listen on {host} port {port}: {reason}") from None


def _is_this_machine(address: str) -> bool:
    """Whether only this machine can connect to it: 127.0.0.0/8, ::1, and ::ffff:127.0.0.1."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def _check_anonymous(host: str, settings: Settings) -> None:
    """Others can connect, and nothing is asked of them: only if someone has said that this is meant."""
    if not settings.allow_anonymous:
        raise Failure(
            f"{host} is open to other machines, and no keys are configured: set {PREFIX}API_KEYS_FILE "
            f"(lossmeter key new makes keys), or {PREFIX}ALLOW_ANONYMOUS=true if anyone may call",
            BAD_USAGE,
        )
    sys.stderr.write(
        f"lossmeter serve: warning: whoever reaches {host} may use this service, no keys are configured\n"
    )


def _check_certificates(settings: Settings) -> None:
    """Loads what uvicorn is going to load, for it would answer a bad file with a traceback, a locked one by asking."""
    if settings.tls_certificate is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=lambda: "")
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
    except OSError as error:
        files = ", ".join(str(file) for file in _files(settings))
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror
        raise Failure(f"TLS cannot start with {files}: {reason}", BAD_USAGE) from None


def _files(settings: Settings) -> list[object]:
    return [file for file in (settings.tls_certificate, settings.tls_key, settings.tls_client_ca) if file]
