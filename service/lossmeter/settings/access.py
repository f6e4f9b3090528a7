"""Who may call, and how they prove it: keys, tokens, certificates, and which web pages may ask."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from lossmeter import keys
from lossmeter.settings.service import PREFIX, ServiceSettings

_ORIGIN: Final = re.compile(r"\*|https?://[^/\s?#@]+")


class AccessSettings(ServiceSettings):
    """Keys, tokens, TLS, and what is hidden from whom."""

    allow_anonymous: bool = Field(
        default=False,
        description="Whether to listen on another address than this machine's own (127.0.0.1, ::1) though "
        "neither keys nor tokens nor client certificates are asked for.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys of callers, separated by commas: lines of `lossmeter key new`, or keys as they are, "
        "in visible ASCII, which may do everything; not set: no key is asked.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File of such lines, one for each key; it is read again when it changes. Not set: none.",
    )
    rate_per_key: str | None = Field(
        default=None,
        description="Requests that one key or the subject of a token may make, such as 100/s, 600/m or "
        "5000/h, unless the key's line says otherwise. Beyond: 429. Not set: any number.",
    )
    jwt_issuers: Annotated[dict[str, str] | None, NoDecode] = Field(
        default=None,
        description="Whose tokens (JWT) are taken: a JSON object of each issuer (`iss`) and its keys "
        "(JWKS), an https address or a file. Needs lossmeter[jwt]. Not set: none.",
    )
    jwt_audience: str | None = Field(
        default=None,
        min_length=1,
        description="What tokens must be meant for (`aud`); needed where there are issuers.",
    )
    docs_need_key: bool = Field(
        default=False,
        description="Whether /docs, /redoc and /openapi.json need a key of any scope where keys are asked; "
        "browsers send it as the password.",
    )
    metrics_need_key: bool = Field(
        default=True, description="Whether /metrics needs the scope metrics where keys are asked."
    )
    management_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Second port, 0 to 65535: /metrics, /docs, /redoc and /openapi.json are then found "
        "on it alone, beside all that the first has. Not set: one port has everything.",
    )
    management_host: str | None = Field(
        default=None, min_length=1, description="Address of the second port; not set: that of the first."
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the server's certificate and those above it: https instead of http.",
    )
    tls_key: Path | None = Field(
        default=None,
        description="PEM file of its private key, without a passphrase; not set: it is in the same file.",
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that sign callers' certificates (mTLS): nobody connects "
        "without one. Not set: none is asked.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose web pages may call, such as https://app.example, separated by commas, "
        "or * for any; not set: none.",
    )

    @property
    def asks_for_key(self) -> bool:
        """Whether a request needs a key or a token."""
        return bool(self.api_keys or self.api_keys_file or self.jwt_issuers)

    @property
    def is_anonymous(self) -> bool:
        """Whether anyone who can connect may use the service."""
        return not (self.asks_for_key or self.tls_client_ca)

    def listed_keys(self) -> tuple[keys.Key, ...]:
        """The keys of ``api_keys``; one that is there as it is may do everything, and is named by its place."""
        return tuple(
            keys.Key.read(entry)
            if " " in (entry := secret.get_secret_value())
            else keys.Key(f"key-{place}", keys.digest(entry.encode()), keys.EVERYTHING)
            for place, secret in enumerate(self.api_keys, start=1)
        )

    def read_keys_file(self) -> tuple[keys.Key, ...]:
        """The keys that ``api_keys_file`` has now.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds something else.
        """
        return keys.read_file(self.api_keys_file.read_text("utf-8")) if self.api_keys_file else ()

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _parts_of_a_list(cls, value: object) -> object:
        """The environment has one string: ``one,two``."""
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _keys_fit_a_header(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """An empty key would let everyone in; a key with a space or an umlaut could never be sent."""
        for place, secret in enumerate(secrets, start=1):
            text = secret.get_secret_value()
            if not text:
                raise ValueError(f"key {place} is empty; to ask for no key, leave the setting out")
            if " " not in text and not all("!" <= character <= "~" for character in text):
                raise ValueError(f"key {place} holds something other than visible ASCII characters")
            if " " in text:
                _check_line(text, f"key {place}")
        return secrets

    @field_validator("rate_per_key")
    @classmethod
    def _rate(cls, value: str | None) -> str | None:
        return value if value is None else str(keys.Rate.read(value))

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("an origin is a scheme and a host without a path: https://app.example")
        return origins

    @field_validator("jwt_issuers", mode="before")
    @classmethod
    def _issuers_of_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError(
                'not JSON such as {"https://login.example": "https://login.example/keys"}'
            ) from None

    @field_validator("jwt_issuers")
    @classmethod
    def _issuers(cls, issuers: dict[str, str] | None) -> dict[str, str] | None:
        if issuers is not None and not issuers:
            raise ValueError("no issuer is named; to take no tokens, leave the setting out")
        for place in (issuers or {}).values():
            # Whoever sits between could give us keys of his own. On this machine nobody does.
            if "://" in place and not re.match(
                r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", place
            ):
                raise ValueError(f"{place:.60}: keys come from an https address or a file")
        if issuers and not importlib.util.find_spec("jwt"):
            raise ValueError("tokens need PyJWT: install lossmeter[jwt]")
        return issuers

    @model_validator(mode="after")
    def _keys_are_distinct(self) -> Self:
        try:
            of_file = self.read_keys_file()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"{PREFIX}API_KEYS_FILE={str(self.api_keys_file)!r}: {reason}") from None
        keys.check_distinct([*self.listed_keys(), *of_file])
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.jwt_issuers and not self.jwt_audience:
            raise ValueError(
                f"{PREFIX}JWT_ISSUERS needs {PREFIX}JWT_AUDIENCE: what their tokens are meant for"
            )
        if (self.tls_key or self.tls_client_ca) and not self.tls_certificate:
            raise ValueError(f"{PREFIX}TLS_KEY and {PREFIX}TLS_CLIENT_CA need {PREFIX}TLS_CERTIFICATE")
        if self.management_host and self.management_port is None:
            raise ValueError(f"{PREFIX}MANAGEMENT_HOST needs {PREFIX}MANAGEMENT_PORT")
        if self.management_port and self.management_port == self.port:
            raise ValueError(f"{PREFIX}MANAGEMENT_PORT is {PREFIX}PORT: they must differ")
        return self


def _check_line(line: str, what: str) -> None:
    try:
        keys.Key.read(line)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
