"""GET /v1/losses and GET /v1/metrics: their answers."""

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


class MetricDescription(BaseModel):
    """One metric of the catalogue."""

    name: str = Field(description="Its name in a request and in an answer.")
    title: str = Field(description="Its name in prose.")
    summary: str = Field(description="What it is, in one sentence.")
    formula: str = Field(description="What it is, in LaTeX.")
    reference: str = Field(description="Where it comes from.")
    additive: bool = Field(
        description="Whether a state is enough for it; if not, it needs every row, and /v1/report has none of it."
    )


class MetricCatalogue(BaseModel):
    """Every metric that /v1/metrics measures."""

    metrics: list[MetricDescription] = Field(description="In the order of the alphabet.")
