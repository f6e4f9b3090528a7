"""API keys as an operator keeps them: one line for each, with its digest and never the key itself.

    ci sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae score 100/s

A key of ours is 256 random bits, so nobody finds it by trying, and plain SHA-256 keeps it safe at rest. A slow hash
(argon2: a tenth of a second and 64 MiB) protects what people can guess. Here it would protect nothing, and would
let strangers make the service do that work for every wrong key that they send.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES: Final = ("score", "metrics", "admin")
"""What a caller may do: score; read /metrics; everything."""

EVERYTHING: Final = frozenset({"admin"})

SYNTAX: Final = "NAME sha256:HEX SCOPE… [RATE], such as: ci sha256:2c26… score 100/s"

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_RATE: Final = re.compile(r"([1-9][0-9]{0,8})/([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests are taken in how much time.

    Attributes:
        quota: that many requests, all at once if the caller likes,
        seconds: in this time: 1, 60 or 3600.
    """

    quota: int
    seconds: int

    @classmethod
    def read(cls, text: str) -> Rate:
        """The rate that ``100/s``, ``600/m`` or ``5000/h`` names.

        Raises:
            ValueError: it is written otherwise.
        """
        found = _RATE.fullmatch(text)
        if not found:
            raise ValueError("a rate is written as 100/s, 600/m or 5000/h")
        return cls(int(found[1]), _SECONDS[found[2]])

    def __str__(self) -> str:
        units = {seconds: unit for unit, seconds in _SECONDS.items()}
        return f"{self.quota}/{units[self.seconds]}"


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key.

    Attributes:
        name: who has it; this is what logs and limits speak of.
        digest: its SHA-256.
        scopes: some of ``SCOPES``.
        rate: how often it may be used, or None for the rate of all.
    """

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]
    rate: Rate | None = None

    @classmethod
    def read(cls, line: str) -> Key:
        """The key that a line describes.

        Raises:
            ValueError: it is written otherwise; the message repeats nothing of it, for it may hold a secret.
        """
        words = line.split()
        name, hashed, rest = "".join(words[:1]), "".join(words[1:2]), words[2:]
        rates = [word for word in rest if "/" in word]
        scopes = frozenset(word for word in rest if "/" not in word)
        found = _DIGEST.fullmatch(hashed)
        if not (_NAME.fullmatch(name) and found and scopes <= set(SCOPES) and scopes and len(rates) <= 1):
            raise ValueError(f"a key is written as {SYNTAX}; scopes are {', '.join(SCOPES)}")
        return cls(name, bytes.fromhex(found[1]), scopes, Rate.read(rates[0]) if rates else None)

    def __str__(self) -> str:
        """The line that ``read`` reads."""
        scopes = [scope for scope in SCOPES if scope in self.scopes]
        words = [self.name, f"sha256:{self.digest.hex()}", *scopes, *([str(self.rate)] if self.rate else [])]
        return " ".join(words)


def digest(key: bytes) -> bytes:
    """SHA-256, the form in which keys are kept and compared."""
    return hashlib.sha256(key).digest()


def new_secret() -> str:
    """A key that was never given out: 256 random bits, behind a prefix by which leaked ones are found."""
    return "lossmeter_" + secrets.token_urlsafe(32)


def read_file(text: str) -> tuple[Key, ...]:
    """The keys of a file: one per line; empty lines and those that begin with # are passed over.

    Raises:
        ValueError: it names the number of the line.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(Key.read(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    check_distinct(found)
    return tuple(found)


def check_distinct(keys: Iterable[Key]) -> None:
    """Refuses two keys of one name, of which a log could not tell who called, and one key under two names.

    Raises:
        ValueError: it gives the name.
    """
    names: set[str] = set()
    digests: set[bytes] = set()
    for key in keys:
        if key.name in names or key.digest in digests:
            raise ValueError(f"the key {key.name} is there twice, by its name or by its digest")
        names.add(key.name)
        digests.add(key.digest)
