"""A server that asks for keys, and all who are allowed in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest

from access.identity import AUDIENCE, Issuer, document, forgeries
from lossmeter import keys
from servers import PATIENCE, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Guarded:
    """A server behind keys and tokens.

    Attributes:
        server: the process.
        client: a client without credentials.
        keys: the secrets, by the scope that each has.
        issuer: whose tokens are taken.
        forgeries: tokens that are not, by what is wrong with each.
    """

    server: Server
    client: httpx2.Client
    keys: dict[str, str]
    issuer: Issuer
    forgeries: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """It asks for a key everywhere but on probes."""
    folder = tmp_path_factory.mktemp("guarded")
    secrets = {scope: keys.new_secret() for scope in keys.SCOPES}
    issuer = Issuer()
    place = folder / "jwks.json"
    place.write_text(document(issuer))
    with (
        running(
            api_keys="plain-key",
            api_keys_file=written(folder / "keys", secrets),
            jwt_issuers=json.dumps({issuer.name: str(place)}),
            jwt_audience=AUDIENCE,
            docs_need_key=True,
            events_store=folder / "events.sqlite",
        ) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        yield Guarded(server, client, {**secrets, "plain": "plain-key"}, issuer, forgeries(issuer))


def written(file: Path, secrets: dict[str, str], rate: str = "") -> Path:
    """A file of keys, each named like its scope."""
    lines = [
        f"{name} sha256:{keys.digest(secret.encode()).hex()} {name} {rate}"
        for name, secret in secrets.items()
    ]
    file.write_text("# callers\n\n" + "\n".join(lines))
    return file
