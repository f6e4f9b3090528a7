"""The settings as a command sees them: from the environment, and flags win."""

from __future__ import annotations

from lossmeter.cli.failure import BAD_USAGE, Failure
from lossmeter.settings import InvalidSettingsError, Settings, load


def settings(**flags: object) -> Settings:
    """Read the settings; one that cannot be is bad usage, told in one line."""
    try:
        return load(**flags)
    except InvalidSettingsError as error:
        raise Failure(str(error), BAD_USAGE) from None
