"""POST /v1/merge: its request, its answer and its examples."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from lossmeter.api.schemas.document import Document
from lossmeter.api.schemas.examples import shards
from lossmeter.api.schemas.state import StateAnswer, StateEncoding, States


class MergeRequest(Document):
    """States to add up."""

    states: States = Field(
        description="States as answers of /v1/score, /v1/metrics or /v1/merge had them, made with the same "
        "options; one that was not is refused, and the difference named."
    )
    state_encoding: StateEncoding = "json"


class MergeAnswer(BaseModel):
    """The sum."""

    state: StateAnswer = Field(
        description="The state of all the rows. The order and the grouping of the states change no byte of it."
    )


EXAMPLES: Final[dict[str, Any]] = {
    "shards": {"summary": "two shards", "value": {"states": shards()}},
}
"""Named requests for the documentation."""
