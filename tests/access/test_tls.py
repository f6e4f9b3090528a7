"""TLS and client certificates, with authorities made on the spot."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme

from commands import run
from servers import PATIENCE, Server, running


@dataclass(frozen=True)
class Files:
    """What an operator has.

    Attributes:
        authority: signs certificates.
        certificate: the server's, a PEM file.
        key: its private key.
        ca: the authority's own.
    """

    authority: trustme.CA
    certificate: Path
    key: Path
    ca: Path

    @property
    def settings(self) -> dict[str, Path]:
        """Those that serve with it."""
        return {"tls_certificate": self.certificate, "tls_key": self.key}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """An authority, and what it signed for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    made = Files(authority, folder / "certificate.pem", folder / "key.pem", folder / "ca.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.ca))
    return made


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client that believes this authority, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def get(server: Server, context: ssl.SSLContext, path: str = "/v1/losses") -> httpx2.Response:
    """What a client with this context is answered."""
    return httpx2.get(server.url + path, verify=context, timeout=PATIENCE)


def test_https_and_nothing_else(files: Files) -> None:
    """A client that trusts the authority is served; others go away; old versions and plain text are not spoken."""
    with running(**files.settings, allow_anonymous=False) as server:
        assert server.url.startswith("https://127.0.0.1:")
        answer = get(server, trusting(files.authority))
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            get(server, trusting(trustme.CA()))
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(server.url.replace("https", "http") + "/v1/losses")
        old = trusting(files.authority)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(server.address, timeout=PATIENCE) as plain,
            pytest.raises(ssl.SSLError),
        ):
            old.wrap_socket(plain, server_hostname="127.0.0.1")
        environment = {f"LOSSMETER_{name.upper()}": str(value) for name, value in files.settings.items()}
        port = str(server.address[1])
        assert run("healthcheck", LOSSMETER_PORT=port, **environment).stdout == "ready\n"
        assert run("healthcheck", "--url", server.url).stdout == "ready\n"


def test_callers_need_certificates(files: Files) -> None:
    """With an authority for callers, only who has a certificate of its own connects; the health check shows ours."""
    with running(**files.settings, tls_client_ca=files.ca, workers=2) as server:
        caller = trusting(files.authority)
        files.authority.issue_cert("caller@example.org").configure_cert(caller)
        assert get(server, caller).status_code == 200
        stranger = trusting(files.authority)
        trustme.CA().issue_cert("caller@example.org").configure_cert(stranger)
        for context in (stranger, trusting(files.authority)):
            with pytest.raises((httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)):
                get(server, context)
        environment = {f"LOSSMETER_{name.upper()}": str(value) for name, value in files.settings.items()}
        done = run("healthcheck", LOSSMETER_PORT=str(server.address[1]), **environment)
        assert done.stdout == "ready\n", done.stderr
        assert run("healthcheck", "--url", server.url).returncode == 1


@pytest.mark.parametrize("what", ["nothing there", "no PEM", "another key", "a locked key", "no authority"])
def test_files_that_cannot_be_are_told_in_one_line(files: Files, tmp_path: Path, what: str) -> None:
    """Exit 2, no traceback, and no question for a passphrase that nobody is there to answer."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - one test needs it

    bad = tmp_path / "bad.pem"
    flags = ["--tls-certificate", str(files.certificate), "--tls-key", str(bad)]
    if what == "no PEM":
        bad.write_text("certificate")
    elif what == "another key":
        trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(str(bad))
    elif what == "a locked key":
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        lock = serialization.BestAvailableEncryption(b"secret")
        form = serialization.PrivateFormat.PKCS8
        bad.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
    elif what == "no authority":
        flags[3:] = [str(files.key), "--tls-client-ca", str(bad)]
    done = run("serve", "--port", "0", *flags)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("lossmeter serve: TLS cannot start with ")
    assert "bad.pem" in done.stderr
