"""GET /v1/losses: its answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class LossDescription(BaseModel):
    """One loss of the catalogue."""

    name: str = Field(description="Its name in a request.")
    title: str = Field(description="Its name in prose.")
    summary: str = Field(description="What it is, in one sentence.")
    formula: str = Field(description="What a row costs, in LaTeX.")
    reference: str = Field(description="Where it comes from.")
    binary: bool = Field(description="Whether it takes one number per label instead of a row of classes.")
    parameters: dict[str, dict[str, Any]] = Field(
        description="JSON Schema of each parameter by name, with its range, default and description."
    )


class LossCatalogue(BaseModel):
    """Every loss that /v1/score takes."""

    losses: list[LossDescription] = Field(description="In the order of the documentation.")
