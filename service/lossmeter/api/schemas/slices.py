"""What an answer says of each slice."""

from __future__ import annotations

from typing import Final, TypeAlias

from pydantic import BaseModel, Field

from lossmeter.api.schemas.arrays import Number


class SliceAnswer(BaseModel):
    """The rows that have one value in one dimension. Means are over the weight; 0 without any."""

    count: int = Field(ge=0, description="Rows that are not ignored.")
    weight: Number = Field(description="The sum of their weights.")
    loss: Number = Field(description="Their mean loss, of the loss and in the unit that were asked for.")
    log_loss: Number = Field(description="Their mean log loss, in the same unit.")
    brier_score: Number = Field(description="Their mean squared error over all classes, 0 to 2.")
    accuracy: Number = Field(description="The share of rows whose most probable class is the true one.")
    top_k_accuracy: Number = Field(
        description="The share of rows whose true class is among the k most probable."
    )
    confidence: Number = Field(description="The mean probability of the most probable class.")


SliceAnswers: TypeAlias = dict[str, dict[str, SliceAnswer]]
"""By dimension and value."""

SLICES_HELP: Final = (
    "By dimension and value, those of most weight first. Of more than 100 values of a dimension, the others are added "
    "up as `other`. Only if the request had slices."
)
