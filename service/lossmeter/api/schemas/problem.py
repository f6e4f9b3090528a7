"""The JSON of a refusal: RFC 9457, with pointers to the offenders."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from lossmeter.api.schemas.document import optional


class Offender(BaseModel):
    """One thing that is wrong with the request."""

    pointer: str = Field(
        description="RFC 6901 JSON Pointer into the request: `/logits/3/1`; empty for all of it."
    )
    detail: str = Field(description="What is wrong and what would be accepted.")
    value: Any = optional("The offender, cut if long; left out where there is no value to show.")


class Problem(BaseModel):
    """Problem details for HTTP APIs (RFC 9457): at most 16 KiB, and never the body again."""

    type: str = Field(description="`about:blank`: the title says what the status says.")
    title: str = Field(description="The phrase of the status in RFC 9110.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What was wrong this time, for people; not to be parsed.")
    instance: str = Field(description="The path of the request.")
    errors: list[Offender] = optional("The first offenders, at most 20.", max_length=20)
    count: int = optional("How many offenders there are in all.", ge=1)
    max_body_bytes: int = optional("With 413: the most bytes that one body may have.", ge=1)
    max_elements: int = optional("With 413: the most numbers that one request may have.", ge=1)
