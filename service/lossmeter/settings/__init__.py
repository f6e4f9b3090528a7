"""What an operator can set: ``LOSSMETER_*`` in the environment, read once, checked wholly, then frozen.

A misspelt name is an error that says which name was meant: a limit that is silently not in force is worse
than no start.
"""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from lossmeter.settings.access import AccessSettings
from lossmeter.settings.events import EventsSettings
from lossmeter.settings.observability import ObservabilitySettings
from lossmeter.settings.service import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails

SECRET: Final = ("api_keys", "events_store")

__all__ = ["PREFIX", "InvalidSettingsError", "Settings", "load"]


class InvalidSettingsError(ValueError):
    """A setting is unknown or out of range; one line says which, and what would be accepted."""


class Settings(EventsSettings, ObservabilitySettings, AccessSettings):
    """Everything that can be set, with its default, range and unit."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_known_names(cls, values: object) -> object:
        """pydantic-settings passes over environment names it does not know; we do not."""
        known = [PREFIX + name.upper() for name in cls.model_fields]
        for name in sorted(os.environ):
            if name.upper().startswith(PREFIX) and name.upper() not in known:
                raise ValueError(_unknown(name, known))
        return values


def load(**flags: object) -> Settings:
    """Read the environment; a flag given here wins over it.

    Raises:
        InvalidSettingsError: in one line, every setting that cannot be.
    """
    try:
        # What a flag holds is for Pydantic to judge, so its static type says nothing here.
        return Settings(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [_sentence(problem, flags) for problem in error.errors(include_url=False)]
        raise InvalidSettingsError("; ".join(problems)) from None


def _sentence(problem: ErrorDetails, flags: Mapping[str, object]) -> str:
    """One problem in the operator's words: the name they typed, what they gave, what would do."""
    detail = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return detail
    field = str(problem["loc"][0])
    name = f"--{field.replace('_', '-')}" if field in flags else PREFIX + field.upper()
    # A key is a secret even when it is a wrong one, and so is a password in an address.
    value = "" if field in SECRET else f"={problem['input']!r:.60}"
    return f"{name}{value}: {detail[:1].lower()}{detail[1:]}"


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
    return f"{name} is not a setting; the closest is {close[0]}"
