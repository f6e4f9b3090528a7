"""The keys that are known now: those of the settings, and those of a file that may change while we run."""

from __future__ import annotations

import hmac
import logging
import time
from typing import TYPE_CHECKING, Final

from lossmeter import keys

if TYPE_CHECKING:
    from pathlib import Path

    from lossmeter.settings import Settings

LOG: Final = logging.getLogger("lossmeter")

LOOK_EVERY_SECONDS: Final = 1.0
"""How old the knowledge of the file may be."""


class Keyring:
    """Finds the key that a caller has sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listed = settings.listed_keys()
        self._version = _version(settings.api_keys_file)
        self._of_file = settings.read_keys_file()
        self._looked = time.monotonic()

    def find(self, secret: bytes) -> keys.Key | None:
        """The key with this secret, or None.

        Only digests are compared, each in constant time, and always all of them: how long it takes tells
        neither which key was close nor where it stands.
        """
        self._look_again()
        sent = keys.digest(secret)
        found = None
        for key in (*self._listed, *self._of_file):
            if hmac.compare_digest(key.digest, sent):
                found = key
        return found

    def _look_again(self) -> None:
        """Takes up a file that changed; one that cannot be read leaves the keys as they were, and is logged.

        So a slip of the editor locks nobody out; to withdraw all keys, empty the file.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_SECONDS:
            return
        self._looked = now
        version = _version(self._settings.api_keys_file)
        if version == self._version:
            return
        self._version = version
        try:
            of_file = self._settings.read_keys_file()
            keys.check_distinct([*self._listed, *of_file])
        except (OSError, ValueError) as error:
            LOG.error("the file of keys is not taken, the keys before it stay: %s", error)  # noqa: TRY400 - a typo has no traceback
        else:
            self._of_file = of_file
            LOG.info("the file of keys has changed: %d keys", len(of_file))


def _version(path: Path | None) -> object:
    """What is another when the file is: Kubernetes swaps a link, editors swap the file, others write into it."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return status and (status.st_ino, status.st_size, status.st_mtime_ns)
