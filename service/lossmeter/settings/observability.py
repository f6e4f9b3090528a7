"""What operators are told: metrics and logs."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

_LABEL: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_TAKEN: Final = frozenset(("loss", "le", "worker", "job", "instance"))


class ObservabilitySettings(BaseSettings):
    """Labels of series, and the form of the log."""

    metric_labels: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("model", "version", "slice"),
        description="Which of a request's labels become labels of the exported metrics, separated by commas; "
        "others are passed over. Empty: none.",
    )
    metric_series: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="Most combinations of their values, 1 to 10000, in one worker process. Later ones are counted "
        "together under other.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto",
        description="One JSON object per line, or text for people; auto is text on a terminal, else json.",
    )

    @field_validator("metric_labels", mode="before")
    @classmethod
    def _labels_of_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("metric_labels")
    @classmethod
    def _labels_can_be_exported(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _LABEL.fullmatch(name):
                raise ValueError(
                    f"{name!r:.40} is no name of a label: letters, digits and _ are, not __ at first"
                )
            if name in _TAKEN:
                raise ValueError(f"{name} is a label that every series has from us or from Prometheus")
        if len(set(names)) < len(names):
            raise ValueError("a label is there twice")
        return names
