"""Events of inference servers: where they wait for the truth, and what the numbers in them are."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from lossmeter.engine.options import Input

POSTGRES: Final = ("postgresql://", "postgres://")

_LABEL: Final = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*([a-z0-9]+(?:/[a-z0-9]+)*)\s*")
_MOST_LABELS: Final = 16


class EventsSettings(BaseSettings):
    """The store, its bounds, and what models mean."""

    events_store: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Where events wait for the truth: the path of a file (SQLite; on a disk of this machine, for one "
        "replica) or postgresql://user:password@host/database (for several; needs lossmeter[postgres]). Not set: "
        "no events are taken.",
    )
    events_input: Input = Field(
        default="probabilities",
        description="What the outputs of models are: logits, probabilities or log_probabilities; the address of "
        "the logger may say it for one model (?input=logits).",
    )
    events_output: str | None = Field(
        default=None,
        min_length=1,
        description="Which output of models is scored, by name (?output=). Not set: the first.",
    )
    events_binary: bool = Field(
        default=False,
        description="Whether models that give one number per row give that of the second of two classes "
        "(?binary=true); else they are refused, for it may be a class.",
    )
    events_targets: str | None = Field(
        default=None,
        min_length=1,
        description="Which input of requests holds the truth, by name (?targets=), for tests that send it along. Not "
        "set: the truth comes by /v1/feedback alone.",
    )
    events_tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=1e-3,
        description="How far the probabilities of a row may be from 1 in sum, 0 to below 1: models compute in single "
        "precision or less.",
    )
    events_labels: str = Field(
        default="model=inferenceservicename/modelid,namespace=namespace,component=component",
        description="Labels of a model's series, each with the attributes of its events (ce-*) that give the value, "
        "the first that is there. Metrics have those in metric_labels.",
    )
    events_seconds: Annotated[float, Field(gt=0, le=366 * 86400)] = Field(
        default=7 * 86400.0,
        description="How long, in seconds, predictions and truths wait for each other, and an event that comes twice "
        "is known again; at most a year.",
    )
    events_rows: Annotated[int, Field(ge=1, le=10**9)] = Field(
        default=1_000_000,
        description="Most exchanges and truths in the store, a count. Scored ones go first; when more wait: 503.",
    )
    events_bytes: Annotated[int, Field(ge=1, le=2**45)] = Field(
        default=2**30, description="Most bytes of arrays in the store. When more wait: 503."
    )
    events_series: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200,
        description="Most series that the store has states of, 1 to 10000. Later ones are held together under other.",
    )
    events_days: Annotated[int, Field(ge=1, le=3660)] = Field(
        default=90, description="Days that states of a day are kept, 1 to 3660."
    )

    @property
    def attributes_of_labels(self) -> dict[str, tuple[str, ...]]:
        """The attributes that may give the value of each label."""
        return _labels(self.events_labels)

    @property
    def events_file(self) -> Path | None:
        """The file of the store, if it is one."""
        place = self.events_store.get_secret_value() if self.events_store else ""
        return None if not place or place.startswith(POSTGRES) else Path(place)

    @field_validator("events_store")
    @classmethod
    def _place(cls, place: SecretStr | None) -> SecretStr | None:
        text = "" if place is None else place.get_secret_value()
        if text.startswith(POSTGRES):
            if not importlib.util.find_spec("psycopg"):
                raise ValueError("PostgreSQL needs psycopg: install lossmeter[postgres]")
        elif "://" in text:
            raise ValueError("a path or postgresql://… is wanted")
        return place

    @field_validator("events_labels")
    @classmethod
    def _labels_can_be_read(cls, text: str) -> str:
        _labels(text)
        return text


def _labels(text: str) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for part in filter(str.strip, text.split(",")):
        found = _LABEL.fullmatch(part)
        if found is None or found[1] in labels or len(labels) == _MOST_LABELS:
            raise ValueError(
                f"{part.strip()!r:.60}: a label and its attributes are wanted, each label once, at most "
                f"{_MOST_LABELS}, such as model=inferenceservicename/modelid"
            )
        labels[found[1]] = tuple(found[2].split("/"))
    return labels
